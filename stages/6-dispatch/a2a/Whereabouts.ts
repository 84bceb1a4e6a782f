/**
 * Who has which task: a task lives where it was begun, so whoever asks for it has to be led there. What is asked for is
 * remembered longest; what is forgotten is found by chance or not at all, which the agent then says.
 */

/** How many tasks and contexts are remembered. */
export const WHEREABOUTS_MAX = 65_536

export class Whereabouts {
  private readonly places = new Map<string, string>()

  get size(): number {
    return this.places.size
  }

  note(group: string, kind: "task" | "context", id: string, place: string): void {
    const key = `${group}\0${kind}\0${id}`
    this.places.delete(key)
    this.places.set(key, place)
    if (this.places.size <= WHEREABOUTS_MAX) return
    for (const oldest of this.places.keys()) {
      this.places.delete(oldest)
      return
    }
  }

  /** Of a task, else of the context it belongs to. */
  of(group: string, taskId: string | undefined, contextId: string | undefined): string | undefined {
    return this.find(group, "task", taskId) ?? this.find(group, "context", contextId)
  }

  private find(group: string, kind: "task" | "context", id: string | undefined): string | undefined {
    if (id === undefined) return undefined
    const key = `${group}\0${kind}\0${id}`
    const place = this.places.get(key)
    if (place === undefined) return undefined
    this.places.delete(key)
    this.places.set(key, place)
    return place
  }
}
