import { expect, it } from 'vitest'
import { VirtualTime } from '../../lib/clock.js'
import type { Message } from '../../raft/raft.js'
import { CommitNews } from './commit-news.js'

function rig() {
  const time = new VirtualTime()
  const said: string[] = []
  const news = new CommitNews({
    time,
    send: (message) => {
      const what =
        message.type === 'append' ? `${message.entries.length}@${message.commit}` : 'beat'
      said.push(`${message.to}: ${what}`)
    },
    note: () => said.push('note'),
  })
  const append = (to: number, count: number, commit: number): void => {
    const entries = Array.from({ length: count }, (_, i) => {
      return { index: commit + 1 + i, term: 1, data: new Uint8Array(1), change: null }
    })
    news.send({
      type: 'append',
      from: 1,
      to,
      term: 1,
      prevIndex: commit,
      prevTerm: 1,
      entries,
      commit,
    })
  }
  const take = (): string[] => said.splice(0)
  /** Two proposals in a row. */
  const stream = (): void => {
    news.proposed()
    time.advance(1)
    news.proposed()
  }
  return { time, news, append, take, stream }
}

it('after a lull a commit is told at once', () => {
  const { time, news, append, take } = rig()
  news.proposed()
  append(2, 0, 5)
  time.advance(1000)
  news.proposed()
  append(2, 0, 6)
  expect(take()).toEqual(['2: 0@5', '2: 0@6'])
})

it('in a stream of writes the next one carries it, to each follower by itself', () => {
  const { time, append, take, stream } = rig()
  stream()
  append(2, 0, 5)
  append(3, 0, 5)
  expect(take()).toEqual([])
  append(2, 1, 5)
  expect(take()).toEqual(['2: 1@5'])
  time.advance(5)
  expect(take()).toEqual(['3: 0@5'])
  time.advance(1000)
  expect(take()).toEqual([])
})

it('in a stream that ends, the last commit waits five milliseconds, and only the newest is told', () => {
  const { time, append, take, stream } = rig()
  stream()
  append(2, 0, 5)
  time.advance(3)
  append(2, 0, 6)
  time.advance(4)
  expect(take()).toEqual([])
  time.advance(1)
  expect(take()).toEqual(['2: 0@6'])
})

it('whoever waits for an answer hears of each commit until it has that', () => {
  const { time, news, append, take, stream } = rig()
  stream()
  news.expectAt(3, 7)
  append(2, 0, 6)
  append(3, 0, 6)
  append(3, 0, 7)
  append(3, 0, 8)
  expect(take()).toEqual(['3: 0@6', '3: 0@7'])
  time.advance(5)
  expect(take()).toEqual(['2: 0@6', '3: 0@8'])
})

it('who does not lead any more owes nobody an answer', () => {
  const { news, append, take, stream } = rig()
  stream()
  news.expectAt(3, 7)
  news.deposed()
  append(3, 0, 6)
  expect(take()).toEqual([])
})

it('no other message overtakes it', () => {
  const { news, append, take, stream } = rig()
  stream()
  append(2, 0, 5)
  append(3, 0, 5)
  const beat: Message = { type: 'heartbeat', from: 1, to: 3, term: 1, commit: 5, round: 0 }
  news.send(beat)
  expect(take()).toEqual(['3: 0@5', '3: beat'])
  news.close()
  expect(take()).toEqual(['2: 0@5'])
})

it('the disk is told within 20 ms, once for all that came until then', () => {
  const { time, news, take } = rig()
  news.noteLater()
  time.advance(10)
  news.noteLater()
  expect(take()).toEqual([])
  time.advance(10)
  expect(take()).toEqual(['note'])
  time.advance(100)
  expect(take()).toEqual([])
  news.noteLater()
  news.close()
  time.advance(100)
  expect(take()).toEqual([])
})
