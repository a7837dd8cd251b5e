"""The only WeCom client of the house: callback crypto, access tokens, typed calls."""
