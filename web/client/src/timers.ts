/** Timers by name, so that none is left behind: setting one replaces it, and all go at once. */
export class Timers {
  private readonly running = new Map<string, ReturnType<typeof setTimeout>>()

  set (name: string, delay_ms: number, run: () => void): void {
    this.clear(name)
    this.running.set(name, setTimeout(() => {
      this.running.delete(name)
      run()
    }, delay_ms))
  }

  has (name: string): boolean {
    return this.running.has(name)
  }

  clear (name: string): void {
    clearTimeout(this.running.get(name))
    this.running.delete(name)
  }

  clearAll (): void {
    for (const name of [...this.running.keys()]) this.clear(name)
  }
}
