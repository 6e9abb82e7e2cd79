//! Functions that ask `tracer __complete`. What goes on behind it (`comm=`, `openat.`, a folder) gets no blank.

pub const BASH: &str = r#"# tracer's completions for bash
_tracer() {
    local IFS=$'\n'
    COMPREPLY=($("${COMP_WORDS[0]}" __complete --line "${COMP_LINE:0:COMP_POINT}" --breaks "$COMP_WORDBREAKS" 2>/dev/null))
    case "${COMPREPLY[*]}" in
        *[=.:,/]) compopt -o nospace ;;
    esac
}
complete -o nosort -F _tracer tracer
"#;

pub const ZSH: &str = r#"#compdef tracer
# tracer's completions for zsh
_tracer() {
    local line value
    local -a going ready going_shown ready_shown
    for line in "${(@f)$("${words[1]}" __complete --index $((CURRENT - 1)) -- "${(@Q)words}" 2>/dev/null)}"; do
        value="${line%%$'\t'*}"
        [[ -n "$value" ]] || continue
        if [[ "$value" == *[=.:,/] ]]; then
            going+=("$value"); going_shown+=("${line//$'\t'/  }")
        else
            ready+=("$value"); ready_shown+=("${line//$'\t'/  }")
        fi
    done
    compadd -S '' -d going_shown -a going
    compadd -d ready_shown -a ready
}
if [[ "$funcstack[1]" == "_tracer" ]]; then
    _tracer "$@"
else
    compdef _tracer tracer
fi
"#;

pub const FISH: &str = r#"# tracer's completions for fish
function __tracer_complete
    set -l before (commandline -opc)
    $before[1] __complete --index (count $before) -- $before (commandline -ct) 2>/dev/null
end
complete -c tracer -f -a '(__tracer_complete)'
"#;
