/** How far a bench is: a bar that is drawn anew on a terminal, plain lines elsewhere. */
export interface Progress {
  /** A line that stays. */
  say(text: string): void
  /** What is under way now. */
  doing(text: string): void
  /** Seconds of the plan that are done. */
  advance(seconds: number): void
  /** Takes the bar away. */
  end(): void
}

export interface Screen {
  readonly isTerminal: boolean
  readonly columns: number
  write(text: string): void
}

const BAR_CHARS = 24
/** A drawing more often than this is only flicker. */
const REDRAW_MS = 100
const CLEAR = '\r\x1b[K'

/** `plannedSeconds`: what all `advance` calls come to, roughly. */
export function newProgress(
  screen: Screen,
  plannedSeconds: number,
  nowMs: () => number = Date.now,
): Progress {
  return screen.isTerminal ? new Bar(screen, plannedSeconds, nowMs) : new Lines(screen)
}

class Lines implements Progress {
  readonly #screen: Screen

  constructor(screen: Screen) {
    this.#screen = screen
  }

  say(text: string): void {
    this.#screen.write(`${text}\n`)
  }

  doing(text: string): void {
    this.#screen.write(`… ${text}\n`)
  }

  advance(): void {}

  end(): void {}
}

class Bar implements Progress {
  readonly #screen: Screen
  readonly #planned: number
  readonly #nowMs: () => number
  readonly #startedMs: number
  #done = 0
  #doing = ''
  #drawnMs = Number.NEGATIVE_INFINITY

  constructor(screen: Screen, planned: number, nowMs: () => number) {
    this.#screen = screen
    this.#planned = Math.max(planned, 1)
    this.#nowMs = nowMs
    this.#startedMs = nowMs()
  }

  say(text: string): void {
    this.#screen.write(`${CLEAR}${text}\n`)
    this.#draw(true)
  }

  doing(text: string): void {
    this.#doing = text
    this.#draw(true)
  }

  advance(seconds: number): void {
    this.#done += seconds
    this.#draw(false)
  }

  end(): void {
    this.#screen.write(CLEAR)
  }

  #draw(always: boolean): void {
    const nowMs = this.#nowMs()
    if (!always && nowMs - this.#drawnMs < REDRAW_MS) return
    this.#drawnMs = nowMs
    const share = Math.min(this.#done / this.#planned, 1)
    const line = barLine(share, (nowMs - this.#startedMs) / 1000, this.#doing)
    this.#screen.write(`${CLEAR}${line.slice(0, Math.max(this.#screen.columns - 1, 20))}`)
  }
}

/** `share`: in 0..1 of the plan; the time left is told once a tenth is done. */
export function barLine(share: number, elapsedSeconds: number, doing: string): string {
  const full = Math.round(share * BAR_CHARS)
  const bar = '█'.repeat(full) + '░'.repeat(BAR_CHARS - full)
  const left = share < 0.1 ? '' : ` ${clock((elapsedSeconds * (1 - share)) / share)} left`
  return `${bar} ${Math.round(share * 100)} %${left}  ${doing}`
}

/** `4:05` for 245 seconds. */
export function clock(seconds: number): string {
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}
