/** What this person may do in the map: as the server says, and as it turns out. */
import { computed, type ReadonlySignal, signal } from '@preact/signals'

export type Role = 'viewer' | 'commenter' | 'editor' | 'owner'

const ROLES: ReadonlySet<unknown> = new Set<Role>(['viewer', 'commenter', 'editor', 'owner'])

export const isRole = (value: unknown): value is Role => ROLES.has(value)

export class Rights {
  /** Null on a server that knows no roles: everybody may edit. */
  readonly role = signal<Role | null>(null)
  /** Why the server has refused changes that were made here; null when it has not. */
  readonly refusal = signal<string | null>(null)
  readonly isReadOnly: ReadonlySignal<boolean> = computed(() =>
    this.refusal.value !== null || this.role.value === 'viewer' || this.role.value === 'commenter')

  private wasTold = false

  /** A new connection begins. Until it says something else, what was true stays true. */
  begin (): void {
    this.wasTold = false
  }

  hear (role: Role): void {
    this.wasTold = true
    this.role.value = role
  }

  /** The handshake is over; a role comes before its end. */
  settle (): void {
    if (!this.wasTold) this.role.value = null
  }

  refuse (reason: string): void {
    this.refusal.value = reason
  }

  /** All that was changed here has been taken after all. */
  accept (): void {
    this.refusal.value = null
  }
}
