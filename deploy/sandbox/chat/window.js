// The customer of this chat orders in the mall: the sidebar beside it moves.
document.getElementById('order').addEventListener('submit', async (event) => {
  event.preventDefault()
  const form = event.currentTarget
  const body = JSON.stringify({
    corp_id: form.dataset.corpId,
    external_userid: form.dataset.externalUserid,
    yuan: form.elements.yuan.value,
  })
  const answer = await fetch('/sandbox/order', { method: 'POST', body })
  form.querySelector('output').textContent = answer.ok ? '已下单' : await answer.text()
})
