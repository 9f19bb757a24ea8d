/** A WebSocket that tells which edits leave over it: the server counts the same ones, and acknowledges them by number. */
import * as sync from 'y-protocols/sync'

export const MESSAGE_SYNC = 0

/** `all` is a SyncStep2, which holds whatever the server lacks; `one` is an Update. */
export type SentEdit = 'all' | 'one'

export const editIn = (message: unknown): SentEdit | null => {
  if (!(message instanceof Uint8Array) || message[0] !== MESSAGE_SYNC) return null
  if (message[1] === sync.messageYjsSyncStep2) return 'all'
  return message[1] === sync.messageYjsUpdate ? 'one' : null
}

/** Everything that the provider sends goes through `send`, whatever made it send. */
export const telling = (Socket: typeof WebSocket, onEdit: (edit: SentEdit) => void): typeof WebSocket =>
  class extends Socket {
    override send (message: Parameters<WebSocket['send']>[0]): void {
      super.send(message)
      // A socket that is closing swallows what it is given.
      const edit = this.readyState === Socket.OPEN ? editIn(message) : null
      if (edit !== null) onEdit(edit)
    }
  }
