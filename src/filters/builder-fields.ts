import { oneOf, type SpecProblem, string } from '../spec/schema.js'
import { checkTemplate, delimitersOf } from '../template/template.js'

/** Fields of kinds that make something out of a template (compat/traffic-v2.md §8.10). */
export const delimiterFields = {
  leftDelim: string({ doc: 'What begins an action of the template; `{{` without.', default: '' }),
  rightDelim: string({ doc: 'What ends an action of the template; `}}` without.', default: '' }),
}

/** Fields of RequestBuilder and ResponseBuilder. */
export const messageBuilderFields = {
  template: string({
    doc: 'Template in the language of Go; what it gives is read as YAML.',
    default: '',
  }),
  ...delimiterFields,
  sourceNamespace: string({
    doc: 'Instead of a template: the namespace whose message is copied.',
    default: '',
  }),
  protocol: oneOf(['http'], {
    doc: 'Kind of messages; there is only this one.',
    ignoreCase: true,
    default: 'http',
  }),
}

export interface TemplateFields {
  readonly template: string
  readonly leftDelim: string
  readonly rightDelim: string
}

/** What is wrong with the text of a template, with the place inside it. */
export function templateProblems(
  { template, leftDelim, rightDelim }: TemplateFields,
  path: readonly string[] = ['template'],
): SpecProblem[] {
  return checkTemplate(template, delimitersOf(leftDelim, rightDelim)).map(
    ({ message, line, column, isWarning }): SpecProblem => ({
      path,
      message: `line ${line}, column ${column} of the template: ${message}`,
      ...(isWarning ? { severity: 'warning' as const } : {}),
    }),
  )
}

/** Exactly one of a template and a namespace. */
export function sourceProblems(
  spec: TemplateFields & { readonly sourceNamespace: string },
): SpecProblem[] {
  const hasTemplate = spec.template !== ''
  const hasSource = spec.sourceNamespace !== ''
  if (hasTemplate !== hasSource) return []
  const message = hasTemplate
    ? 'expected either template or sourceNamespace, not both'
    : 'expected template or sourceNamespace'
  return [{ path: [hasTemplate ? 'sourceNamespace' : 'template'], message }]
}
