"""WeCom and a Youzan shop for tests and newcomers: own process, own data, none of our code."""
