/** A server whose part on the socket is played, as far as a test says; the rest is the program's. */

const NOTICE = 121

const frame = json => {
  const text = Buffer.from(JSON.stringify(json))
  if (text.length > 127) throw new Error('longer than one byte can say')
  return Buffer.concat([Buffer.from([NOTICE, text.length]), text])
}

/**
 * `before` is for `person`. `say` gives the page a notice, `close` ends its connection; while `refusal` returns something, whoever
 * connects is told that and closed.
 */
export const playedSocket = () => {
  let socket
  let refusal = null
  let connections = 0
  const goodbye = async (on, { code, reason = '', notice }) => {
    if (notice !== undefined) on.send(frame(notice))
    await on.close({ code, reason })
  }
  return {
    before: page => page.routeWebSocket(/\/v1\/ws\//, async route => {
      connections++
      if (refusal !== null) return goodbye(route, refusal)
      route.connectToServer()
      socket = route
    }),
    say: notice => socket.send(frame(notice)),
    close: ending => goodbye(socket, ending),
    refuse: ending => { refusal = ending },
    admit: () => { refusal = null },
    get connections () { return connections }
  }
}
