/** A number that any difference between two runs changes: FNV-1a over whole numbers. */
export class Digest {
  #a = 0x811c9dc5
  #b = 0x1000193

  add(value: number): void {
    this.#a = Math.imul(this.#a ^ value, 0x01000193)
    this.#b = Math.imul(this.#b + value, 0x85ebca6b) ^ (this.#a >>> 15)
  }

  addText(text: string): void {
    for (let at = 0; at < text.length; at++) this.add(text.charCodeAt(at))
  }

  get hex(): string {
    const words = [this.#a >>> 0, this.#b >>> 0]
    return words.map((word) => word.toString(16).padStart(8, '0')).join('')
  }
}
