import { expect, it } from 'vitest'
import { TurnEnd } from './turn-end.js'

const turn = (): Promise<void> => new Promise((done) => setImmediate(done))

it('acts once the turn ends, in order, and never twice', async () => {
  const acted: string[] = []
  const end = new TurnEnd<string>(8, (item) => acted.push(item))
  expect([end.put('a'), end.put('b'), end.put('c')]).toEqual([0, 1, 2])
  expect(acted).toEqual([])
  await turn()
  expect(acted).toEqual(['a', 'b', 'c'])
  await turn()
  expect(end.put('d')).toBe(0)
  await turn()
  expect(acted).toEqual(['a', 'b', 'c', 'd'])
})

it('acts before the promises of the turn that follows, and after those of its own', async () => {
  const order: string[] = []
  const end = new TurnEnd<string>(8, (item) => order.push(item))
  end.put('turn end')
  await Promise.resolve().then(() => order.push('promise'))
  setTimeout(() => order.push('timer'), 0)
  await new Promise((done) => setTimeout(done, 5))
  expect(order.indexOf('promise')).toBe(0)
  expect(order).toContain('turn end')
})

it('does not let more than so many wait', async () => {
  const acted: number[] = []
  const end = new TurnEnd<number>(3, (item) => acted.push(item))
  const places = [1, 2, 3, 4, 5].map((item) => end.put(item))
  expect(acted).toEqual([1, 2, 3])
  expect(places).toEqual([0, 1, 2, 0, 1])
  await turn()
  expect(acted).toEqual([1, 2, 3, 4, 5])
})

it('takes what comes while it acts, each to a place of its own', async () => {
  const acted: number[] = []
  const places: number[] = []
  const end: TurnEnd<number> = new TurnEnd(2, (item) => {
    acted.push(item)
    if (item < 6) places.push(end.put(item + 2))
    end.flush()
  })
  end.put(1)
  end.put(2)
  await turn()
  expect(acted).toEqual([1, 2, 3, 4, 5, 6, 7])
  expect(places).toEqual([2, 3, 4, 5, 6])
})

it('keeps nothing of what it has acted on', () => {
  const acted: object[] = []
  const end = new TurnEnd<object>(2, (item) => acted.push(item))
  end.put({})
  end.flush()
  end.flush()
  expect(acted).toHaveLength(1)
})

it('puts nothing off for a while where nothing comes together, and looks again now and then', () => {
  const end = new TurnEnd<number>(64, () => {})
  const invited: boolean[] = []
  for (let turns = 0; turns < 200; turns++) {
    const isInvited = end.invites()
    invited.push(isInvited)
    if (isInvited) end.put(turns)
    end.flush()
  }
  const at = invited.flatMap((each, turn) => (each ? [turn] : []))
  expect(at).toEqual([0, 2, 6, 14, 30, 62, 94, 126, 158, 190])
})

it('puts everything off as soon as two come together', () => {
  const end = new TurnEnd<number>(64, () => {})
  const put = (count: number): number => {
    let putOff = 0
    for (let i = 0; i < count; i++) {
      if (!end.invites()) continue
      end.put(i)
      putOff += 1
    }
    end.flush()
    return putOff
  }
  for (let turns = 0; turns < 50; turns++) put(1)
  const crowded = Array.from({ length: 40 }, () => put(3))
  const first = crowded.indexOf(3)
  expect(first).toBeLessThan(13)
  expect(crowded.slice(first)).toEqual(new Array(crowded.length - first).fill(3))
})
