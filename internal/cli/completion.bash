# bash completion of web-backend; made by: web-backend completion bash
_web_backend() {
    local cur=${COMP_WORDS[COMP_CWORD]#=} list
    mapfile -t list < <("${COMP_WORDS[0]/#\~/$HOME}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)
    case ${list[0]-} in
        :file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        :folder) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "${list[*]%%$'\t'*}" -- "$cur") ;;
    esac
}
complete -F _web_backend web-backend
