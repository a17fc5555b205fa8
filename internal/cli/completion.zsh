#compdef web-backend
# zsh completion of web-backend; made by: web-backend completion zsh
_web_backend() {
    local -a list
    list=(${(f)"$("${words[1]/#\~/$HOME}" __complete "${(@)words[2,CURRENT]}" 2> /dev/null)"})
    case ${list[1]} in
        :file) [[ ${words[CURRENT]} == --*=* ]] && compset -P '*='; _files ;;
        :folder) [[ ${words[CURRENT]} == --*=* ]] && compset -P '*='; _files -/ ;;
        ?*) list=("${(@)list/$'\t'/:}"); _describe web-backend list ;;
    esac
}
if [[ ${funcstack[1]} == _web-backend ]]; then
    _web_backend "$@"
else
    compdef _web_backend web-backend
fi
