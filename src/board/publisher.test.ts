import fc from 'fast-check'
import { expect, it } from 'vitest'
import { BOARD_LIMITS } from './board.js'
import { Publisher } from './publisher.js'

const TTL_MS = 1_000
const key = fc.nat(9).map((i) => `/k${i}`)
const saying = fc.record({ key, value: fc.option(fc.nat(3), { nil: null }) })

it('who knows everything up to a number is told the rest, each thing once and in order', () => {
  fc.assert(
    fc.property(fc.array(saying, { maxLength: 400 }), fc.nat(400), (all, known) => {
      const publisher = new Publisher(BOARD_LIMITS)
      const last = new Map<string, { readonly value: number | null; readonly seq: number }>()
      for (const { key: said, value } of all) {
        const isNews =
          value === null
            ? publisher.withdraw(said)
            : publisher.publish(said, Uint8Array.of(value), TTL_MS)
        if (isNews) last.set(said, { value, seq: publisher.seq })
      }
      const from = Math.min(known, publisher.seq)
      const news = [...last].filter(([, { seq }]) => seq > from).sort((a, b) => a[1].seq - b[1].seq)
      const batch = publisher.batch(1, from, Number.MAX_SAFE_INTEGER)
      expect(batch.to).toBe(publisher.seq)
      expect(batch.puts.map(([said, value]) => [said, value[0]])).toEqual(
        news.filter(([, { value }]) => value !== null).map(([said, { value }]) => [said, value]),
      )
      if (from > 0) {
        expect([...batch.deletes].sort()).toEqual(
          news
            .filter(([, { value }]) => value === null)
            .map(([said]) => said)
            .sort(),
        )
      }
    }),
  )
})
