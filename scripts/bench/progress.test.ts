import { expect, it } from 'vitest'
import { barLine, clock, newProgress, type Screen } from './progress.js'

function screen(isTerminal: boolean): Screen & { text: string } {
  const it = {
    text: '',
    isTerminal,
    columns: 40,
    write: (more: string) => {
      it.text += more
    },
  }
  return it
}

it('prints plain lines where nobody watches', () => {
  const to = screen(false)
  const progress = newProgress(to, 10)
  progress.doing('proxy, round 1 of 9')
  progress.advance(5)
  progress.say('done')
  progress.end()
  expect(to.text).toBe('… proxy, round 1 of 9\ndone\n')
})

it('draws one line anew on a terminal, within its width', () => {
  const to = screen(true)
  let nowMs = 0
  const progress = newProgress(to, 10, () => nowMs)
  progress.doing('something that is much longer than the terminal is wide')
  nowMs = 5_000
  progress.advance(5)
  const drawings = to.text.split('\r\x1b[K').slice(1)
  expect(drawings).toHaveLength(2)
  for (const drawing of drawings) expect(drawing.length).toBeLessThan(40)
  expect(drawings[1]).toContain('50 % 0:05 left')
  expect(to.text).not.toContain('\n')
})

it('a line that stays does not mix with the bar', () => {
  const to = screen(true)
  const progress = newProgress(to, 10, () => 0)
  progress.doing('x')
  progress.say('a table')
  expect(to.text).toContain('\r\x1b[Ka table\n')
})

it('does not draw more often than can be seen', () => {
  const to = screen(true)
  const progress = newProgress(to, 1000, () => 0)
  progress.doing('x')
  const { length } = to.text
  for (let i = 0; i < 100; i++) progress.advance(1)
  expect(to.text).toHaveLength(length)
})

it.each([
  [0, 0, '░░░░░░░░░░░░░░░░░░░░░░░░ 0 %  x'],
  [0.05, 10, '█░░░░░░░░░░░░░░░░░░░░░░░ 5 %  x'],
  [0.5, 60, '████████████░░░░░░░░░░░░ 50 % 1:00 left  x'],
  [1, 60, '████████████████████████ 100 % 0:00 left  x'],
])('bar at %d after %d s', (share, seconds, want) => {
  expect(barLine(share, seconds, 'x')).toBe(want)
})

it.each([
  [0, '0:00'],
  [59.4, '0:59'],
  [59.6, '1:00'],
  [3725, '62:05'],
])('%d s is %s', (seconds, want) => {
  expect(clock(seconds)).toBe(want)
})
