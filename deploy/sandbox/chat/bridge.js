// What WeCom's client puts into every page that it shows.
;(function () {
  const agent = navigator.userAgent + ' wxwork/4.1.36 MicroMessenger/7.0.1'
  Object.defineProperty(navigator, 'userAgent', { get: () => agent })
  let configured = false
  window.WeixinJSBridge = {
    on() {},
    invoke(name, told, done) {
      const body = JSON.stringify({ name, told, url: location.href.split('#')[0], configured })
      fetch('/client/invoke', { method: 'POST', body })
        .then((answer) => answer.json())
        .then((answer) => {
          if (name === 'agentConfig') configured = answer.err_msg === 'agentConfig:ok'
          done(answer)
        })
    },
  }
})()
