import { expect, it } from 'vitest'
import { JobPool } from '../../jobs/pool.js'
import { compileThreadFixture } from '../../lib/thread-fixture.js'
import { isPassword, isSlow } from './password-hash.js'
import { Passwords } from './passwords.js'

const LONG = 'y'.repeat(80)

/** What `openssl passwd` and glibc's crypt make. */
const KEPT: readonly [password: string, kept: string][] = [
  ['', '$apr1$abcdefgh$L.PT565ESX4Tp2bqNs7Ie.'],
  ['x', '$apr1$abcdefgh$82JubPF2dQkt1tVfvLnXS.'],
  ['pässwörd', '$apr1$abcdefgh$030j6I3f1zNCF9tihqdd11'],
  [LONG, '$apr1$abcdefgh$A6dmnI5G2csDOaqksgc/P0'],
  ['test', '$apr1$abc$ot/gVVIUHfDP8w8ZU4.8z1'],
  ['x', '$5$abcdefgh$sI6g8tHKrJ6RX7w.YoN9B7a/5wK5jYEOMmMnt3tPl0/'],
  ['pässwörd', '$5$abcdefgh$vl6a2mAodUYEe3Mhai26AyjORet86eVRC5bBAu6c/n9'],
  [LONG, '$5$abcdefgh$9YWzqHfIIgk.lulj6LORdZAaFiju1PWrqNxfGTDQ6Y6'],
  ['test', '$5$abc$xhLlZvoXRNo2v63CS0Ku6RxTjR8AtjqvUgTrPKnxyb1'],
  [
    'x',
    '$6$abcdefgh$D7W7qyozKBT.t6FD3DVYHvADbIO0eSyI4.p20LaEUjro8PqTGYYo/EQcuNjhFbzo9Yg5ir1KIEqFY/yJpgFph0',
  ],
  [
    'pässwörd',
    '$6$abcdefgh$qlUjQo8xiC5dmwOr49rtm.DQdv9onQYoWr0dgDR2SqMkw1296.hIZnRd/ltg71cpfDQGxCw0Bli1kXypCoIxg0',
  ],
  [
    LONG,
    '$6$abcdefgh$HQZXe3MZ7m8Y9VGZF6pkzNoZE56I2dPgkZ/6q9Yi75HAdoUOoWr/b/ZYrm92D9HWtX1luOKcBIcQf3ny8anWB/',
  ],
  [
    'test',
    '$6$rounds=1500$saltsalt$qUg4bO/4RXu0znaOyKnoo2yLxPbU01QHJ0Qe9Nh.Uq0YoYbvyyYNrdcRKP.cdetTqQ8Z0p7OSdc.y1y5w9S1j.',
  ],
  ['secret', '$2b$04$qiPYooRq1a9Bey5oTG3aeeooRoVBLhTPmgv7quwgoLGPHJDEsovsi'],
  ['secret', '$2y$04$qiPYooRq1a9Bey5oTG3aeeooRoVBLhTPmgv7quwgoLGPHJDEsovsi'],
  ['password', '{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g='],
  ['plain', 'plain'],
]

it.each(KEPT)('%s is the password of %s, and no other is', (password, kept) => {
  expect(isPassword(kept, password)).toBe(true)
  for (const other of [`${password}x`, password.toUpperCase() || 'X', 'other']) {
    expect(isPassword(kept, other)).toBe(false)
  }
})

it('SSHA: the salt is behind the digest', async () => {
  const { createHash } = await import('node:crypto')
  const digest = createHash('sha1').update('secret').update('salt').digest()
  const kept = `{SSHA}${Buffer.concat([digest, Buffer.from('salt')]).toString('base64')}`
  expect([isPassword(kept, 'secret'), isPassword(kept, 'other')]).toEqual([true, false])
})

it.each([
  [
    'a hash as the password',
    '$apr1$abc$ot/gVVIUHfDP8w8ZU4.8z1',
    '$apr1$abc$ot/gVVIUHfDP8w8ZU4.8z1',
  ],
  ['a broken bcrypt', '$2b$04$short', 'x'],
  ['a broken sha-crypt', '$6$abc', 'x'],
  ['too many rounds', '$6$rounds=999999999$abc$aaaa', 'x'],
  ['a gigantic password', '$6$abc$aaaa', 'x'.repeat(100_000)],
  ['an empty SSHA', '{SSHA}', ''],
  ['a broken SHA', '{SHA}AAAA', ''],
])('none is right: %s', (_name, kept, password) => {
  const started = performance.now()
  expect(isPassword(kept, password)).toBe(false)
  expect(performance.now() - started).toBeLessThan(500)
})

it('only what takes long goes to another thread, and once right it is remembered for a while', async () => {
  let checks = 0
  const passwords = new Passwords((kept, password) => {
    checks += 1
    return Promise.resolve(isPassword(kept, password))
  })
  const bcrypt = '$2b$04$qiPYooRq1a9Bey5oTG3aeeooRoVBLhTPmgv7quwgoLGPHJDEsovsi'
  expect([isSlow(bcrypt), isSlow('plain'), isSlow('{SHA}x')]).toEqual([true, false, false])
  expect([passwords.verify('plain', 'plain', 0), passwords.verify('plain', 'x', 0)]).toEqual([
    true,
    false,
  ])
  expect(await passwords.verify(bcrypt, 'wrong', 0)).toBe(false)
  expect(await passwords.verify(bcrypt, 'secret', 0)).toBe(true)
  expect(passwords.verify(bcrypt, 'secret', 599_999)).toBe(true)
  expect(await passwords.verify(bcrypt, 'wrong', 0)).toBe(false)
  expect(checks).toBe(3)
  expect(await passwords.verify(bcrypt, 'secret', 600_001)).toBe(true)
  expect(checks).toBe(4)
})

it('the job does it on a thread of its own', async () => {
  const url = await compileThreadFixture(new URL('./password-job.ts', import.meta.url))
  const pool = new JobPool({ url, threadsMax: 1, queueMax: 4, timeoutMs: 20_000 })
  const [password, kept] = KEPT[4] as [string, string]
  expect(await pool.run('checkPassword', { kept, password })).toBe(true)
  expect(await pool.run('checkPassword', { kept, password: 'x' })).toBe(false)
  await pool.close()
})
