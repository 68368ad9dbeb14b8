/** The shells whose completion is written. */
export const shells = ['bash', 'zsh'] as const
export type Shell = (typeof shells)[number]

/** Write the script that a shell reads at its start. `program` is what it asks: an executable, and its first arguments. */
export function completionScript(shell: Shell, program: readonly string[]): string {
  const asked = program.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ')
  return (shell === 'bash' ? bash : zsh).replaceAll('ASK', () => asked)
}

const bash =
  String.raw`# Completion of community-lab for bash. It asks the program itself, and says nothing when that fails.
_community_lab_from() {
  local -a answer=()
  COMPREPLY=()
  mapfile -t answer < <(ASK bash "\${COMP_WORDS[@]:$1:COMP_CWORD-$1+1}" 2>/dev/null)
  if [[ \${answer[0]-} == files ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
  elif ((\${#answer[@]} > 1)); then
    COMPREPLY=("\${answer[@]:1}")
  fi
}
_community_lab() { _community_lab_from 1; }
# npx community-lab …; what else npx runs is completed as before.
_community_lab_npx() {
  COMPREPLY=()
  if [[ \${COMP_WORDS[1]-} == community-lab ]] && ((COMP_CWORD > 1)); then _community_lab_from 2; fi
}
complete -F _community_lab community-lab
complete -p npx >/dev/null 2>&1 || complete -o default -F _community_lab_npx npx
`.replaceAll('\\$', '$')

const zsh = String.raw`#compdef community-lab
# Completion of community-lab for zsh. It asks the program itself, and says nothing when that fails.
_community_lab_from() {
  local -a answer values
  local line
  answer=("\${(@f)$(ASK zsh "\${(@)words[$1,CURRENT]}" 2>/dev/null)}")
  if [[ \${answer[1]-} == files ]]; then
    _files
    return
  fi
  for line in "\${(@)answer[2,-1]}"; do
    values+=("\${\${line%%$'\t'*}//:/\\:}:\${line#*$'\t'}")
  done
  ((\${#values} > 0)) && _describe -V 'community-lab' values
}
_community_lab() { _community_lab_from 2 }
# npx community-lab …; what else npx runs is completed as before.
_community_lab_npx() {
  if [[ \${words[2]-} == community-lab ]] && ((CURRENT > 2)); then _community_lab_from 3; else _default; fi
}
if [[ \${funcstack[1]-} == _community_lab ]]; then
  _community_lab "$@"
elif ((\${+functions[compdef]})); then
  compdef _community_lab community-lab
  ((\${+_comps[npx]})) || compdef _community_lab_npx npx
fi
`.replaceAll('\\$', '$')
