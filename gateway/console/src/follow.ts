import { watch } from 'vue'
import { follow } from './api/stream'
import { me } from './session'

/** From now on the page follows the events of whoever is signed in. */
export function followMe(): void {
  watch(
    () => (me.value?.userid ? `${me.value.corpId} ${me.value.userid} ${me.value.role}` : undefined),
    (who) => follow(who, me.value?.role === 'ROLE_ADMIN' ? 'corp' : 'own'),
    { immediate: true },
  )
}
