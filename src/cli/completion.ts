import { Command } from 'commander'
import type { CliIo } from './io.js'

const BASH = `# egctl completion for bash. In ~/.bashrc: source <(egctl completion bash)
_egctl() {
  local IFS=$'\\n'
  local current="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=($(compgen -W "$(egctl __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "$current"))
}
complete -o default -F _egctl egctl
`

const ZSH = `#compdef egctl
# egctl completion for zsh. In ~/.zshrc, after compinit: source <(egctl completion zsh)
_egctl() {
  local -a found
  found=("\${(@f)$(egctl __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  found=("\${(@)found:#}")
  if (( \${#found} )); then compadd -a found; else _files; fi
}
compdef _egctl egctl
`

/** `egctl completion …`: scripts that ask \`egctl __complete\` at each press of the key. */
export function completion(io: CliIo): Command {
  return new Command('completion')
    .description('print a script that completes egctl commands')
    .addCommand(
      new Command('bash')
        .description('for bash: source <(egctl completion bash)')
        .action(() => io.out(BASH)),
    )
    .addCommand(
      new Command('zsh')
        .description('for zsh: source <(egctl completion zsh)')
        .action(() => io.out(ZSH)),
    )
}
