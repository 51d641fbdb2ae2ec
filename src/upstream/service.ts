import type { TimerWheel } from '../lib/timer-wheel.js'
import type { UpstreamClient, UpstreamServer } from './contract.js'
import { Fetch, type FetchLimits, type FetchOutcome } from './fetch.js'
import { parseServerUrl, type ServerUrl } from './server-url.js'

/** A URL that filters ask something at, over connections that are kept; see {@link Fetch}. */
export class Service {
  readonly #client: UpstreamClient
  readonly #timers: TimerWheel
  readonly #server: UpstreamServer
  readonly #target: string
  readonly #limits: FetchLimits

  /**
   * `url`: http or https; user information and fragment are not looked at. `verify`: whether its
   * certificate must be valid.
   */
  constructor(
    client: UpstreamClient,
    timers: TimerWheel,
    url: string,
    verify: boolean,
    limits: FetchLimits,
  ) {
    const { origin, pathname, search } = new URL(url)
    this.#client = client
    this.#timers = timers
    this.#target = pathname + search
    this.#limits = limits
    this.#server = client.acquire(parseServerUrl(origin) as ServerUrl, {
      tls: { verify, ca: '', cert: '', key: '', serverName: '' },
    })
  }

  /** `done` is called once, unless what is returned is cancelled; never before this returns. */
  ask(
    method: string,
    headers: readonly string[],
    body: Uint8Array | null,
    done: (outcome: FetchOutcome) => void,
  ): Fetch {
    const request = { method, target: this.#target, headers, body }
    const asking = new Fetch(this.#client, this.#server, this.#timers, request, this.#limits, done)
    asking.start()
    return asking
  }

  /** Nothing more will be asked. */
  release(): void {
    this.#server.release()
  }
}
