/**
 * Authenticated frames between nodes, from the bytes up: `frame.ts` and `body.ts` (what a stream of
 * bytes may be), `handshake.ts` and `judge.ts` (who is let in), `traffic.ts` (what is said),
 * `session.ts` (one connection), `links.ts` (all of them; the caller's duties are written there),
 * `rpc.ts` (requests with answers). Clock, timers, randomness and the network are handed in;
 * `node-transport.ts` is the real network, and is imported where the process is put together.
 */
export { decodeBody, encodeBody } from './body.js'
export type { Introduction, Peer } from './identity.js'
export { CHANNEL, type Channel } from './identity.js'
export type { Membership } from './judge.js'
export { Links } from './links.js'
export type {
  DialFailedEvent,
  GuestDial,
  LinksHandler,
  MemberAddress,
  RefusedEvent,
} from './links-contract.js'
export { type Answer, Rpc, type Service } from './rpc.js'
export { CHUNK_BYTES, type Forward } from './traffic.js'
