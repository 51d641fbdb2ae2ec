import { compareText, Func, GoObject, Int64, method, TemplateError, type Value } from './value.js'

const VERSION =
  /^v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$/
const PART = '[0-9|xX*]+'
const LABEL = String.raw`[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*`
const SOURCE = `v?(${PART})(\\.${PART})?(\\.${PART})?(-${LABEL})?(\\+${LABEL})?`
const CONSTRAINT = new RegExp(`^\\s*(|=|!=|>|<|>=|=>|<=|=<|~|~>|\\^)\\s*${SOURCE}\\s*$`)
const RANGE = new RegExp(`\\s*(${SOURCE})\\s+-\\s+(${SOURCE})\\s*`, 'g')
/** Longer texts are no versions: their patterns backtrack. */
const TEXT_MAX = 256

/** A semantic version; those without minor or patch number have zeros there. */
export class Version extends GoObject {
  override readonly typeName = '*semver.Version'
  readonly numbers: readonly [major: bigint, minor: bigint, patch: bigint]
  readonly prerelease: string
  readonly #metadata: string
  readonly #original: string

  private constructor(text: string, found: RegExpExecArray) {
    super()
    const number = (digits: string | undefined): bigint => {
      const value = BigInt(digits ?? '0')
      if (value >= 2n ** 63n) throw new TemplateError('version number out of range')
      return value
    }
    this.numbers = [number(found[1]), number(found[2]), number(found[3])]
    this.prerelease = found[4] ?? ''
    this.#metadata = found[5] ?? ''
    this.#original = text
  }

  static parse(text: string): Version {
    const found = text.length > TEXT_MAX ? null : VERSION.exec(text)
    if (found === null) throw new TemplateError('Invalid Semantic Version')
    return new Version(text, found)
  }

  override toString(): string {
    const pre = this.prerelease === '' ? '' : `-${this.prerelease}`
    const metadata = this.#metadata === '' ? '' : `+${this.#metadata}`
    return this.numbers.join('.') + pre + metadata
  }

  override member(name: string): Value | Func | undefined {
    const index = ['Major', 'Minor', 'Patch'].indexOf(name)
    if (index >= 0) return method(name, () => new Int64(this.numbers[index] as bigint))
    switch (name) {
      case 'Prerelease':
        return method(name, () => this.prerelease)
      case 'Metadata':
        return method(name, () => this.#metadata)
      case 'Original':
        return method(name, () => this.#original)
      case 'String':
        return method(name, () => this.toString())
      case 'Compare':
        return new Func(name, ['any'], null, ([other]) => {
          if (!(other instanceof Version)) throw new TemplateError('expected *semver.Version')
          return BigInt(this.compare(other))
        })
      default:
        return undefined
    }
  }

  /** Negative, 0 or positive (Semantic Versioning 2.0.0 §11). */
  compare(other: Version): number {
    for (const i of [0, 1, 2] as const) {
      if (this.numbers[i] !== other.numbers[i]) return this.numbers[i] < other.numbers[i] ? -1 : 1
    }
    if (this.prerelease === other.prerelease) return 0
    if (this.prerelease === '') return 1
    return other.prerelease === '' ? -1 : comparePrerelease(this.prerelease, other.prerelease)
  }
}

function comparePrerelease(a: string, b: string): number {
  const mine = a.split('.')
  const theirs = b.split('.')
  for (let i = 0; i < Math.max(mine.length, theirs.length); i++) {
    const [x, y] = [mine[i], theirs[i]]
    if (x === y) continue
    if (x === undefined) return -1
    if (y === undefined) return 1
    const isNumber = /^\d+$/.test(x)
    const isOther = /^\d+$/.test(y)
    if (isNumber !== isOther) return isNumber ? -1 : 1
    if (!isNumber) return compareText(x, y) < 0 ? -1 : 1
    if (BigInt(x) !== BigInt(y)) return BigInt(x) < BigInt(y) ? -1 : 1
  }
  return 0
}

interface Bound {
  readonly operator: string
  readonly version: Version
  /** Parts are left open, as in 1.x. */
  readonly isOpen: boolean
  readonly isMinorOpen: boolean
  readonly isPatchOpen: boolean
}

/** Whether `text` is a version within the constraint: `>= 1.2, < 3 || ~4.1`. */
export function satisfies(constraint: string, text: string): boolean {
  if (constraint.length > TEXT_MAX) throw new TemplateError('improper constraint')
  const ranged = constraint.replace(RANGE, (_whole, ...groups: string[]) => {
    return `>= ${groups[0]}, <= ${groups[6]}`
  })
  const alternatives = ranged.split('||').map((each) => each.split(',').map(parseBound))
  const version = Version.parse(text)
  return alternatives.some((bounds) => bounds.every((bound) => allows(bound, version)))
}

const isX = (part: string | undefined): boolean => part === 'x' || part === 'X' || part === '*'

function parseBound(text: string): Bound {
  const found = CONSTRAINT.exec(text)
  if (found === null) throw new TemplateError(`improper constraint: ${text}`)
  const [, operator = '', major = '', minor, patch, pre = ''] = found
  const isMajorOpen = isX(major)
  const isMinorOpen = !isMajorOpen && (minor === undefined || isX(minor.slice(1)))
  const isPatchOpen = !isMajorOpen && !isMinorOpen && isX(patch?.slice(1))
  let version = `${major}${minor ?? ''}${patch ?? ''}${pre}`
  if (isMajorOpen) version = '0.0.0'
  else if (isMinorOpen) version = `${major}.0.0${pre}`
  else if (isPatchOpen) version = `${major}${minor}.0${pre}`
  const isOpen = isMajorOpen || isMinorOpen || isPatchOpen
  return { operator, version: Version.parse(version), isOpen, isMinorOpen, isPatchOpen }
}

function allows(bound: Bound, version: Version): boolean {
  const { operator, version: limit, isOpen, isMinorOpen } = bound
  const order = version.compare(limit)
  if (operator === '!=' && !isOpen) return order !== 0
  // Who does not ask for a prerelease does not get one.
  if (version.prerelease !== '' && limit.prerelease === '') return false
  const [major, minor] = version.numbers
  const [limitMajor, limitMinor] = limit.numbers
  switch (operator) {
    case '!=':
      return major !== limitMajor || (minor !== limitMinor && !isMinorOpen)
    case '>':
      return order > 0
    case '>=':
    case '=>':
      return order >= 0
    case '<':
    case '<=':
    case '=<':
      if (!isOpen) return operator === '<' ? order < 0 : order <= 0
      return !(major > limitMajor || (minor > limitMinor && !isMinorOpen))
    case '^':
      return order >= 0 && major === limitMajor
    case '':
    case '=':
      return isOpen ? tilde(bound, version, order) : order === 0
    default:
      return tilde(bound, version, order)
  }
}

function tilde(
  { version: limit, isMinorOpen, isPatchOpen }: Bound,
  version: Version,
  order: number,
) {
  if (order < 0) return false
  const isZero = limit.numbers.every((number) => number === 0n)
  if (isZero && !isMinorOpen && !isPatchOpen) return true
  const [major, minor] = version.numbers
  return major === limit.numbers[0] && (minor === limit.numbers[1] || isMinorOpen)
}
