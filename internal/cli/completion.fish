# fish completion of web-backend; made by: web-backend completion fish
function __web_backend_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l list ($words[1] __complete $words[2..-1] 2> /dev/null)
    set -l flag (string match -r -- '^--[^=]*=' $words[-1])
    set -l begun (string replace -r -- '^--[^=]*=' '' $words[-1])
    switch "$list[1]"
        case :file
            printf '%s\n' "$flag"(__fish_complete_path "$begun")
        case :folder
            printf '%s\n' "$flag"(__fish_complete_directories "$begun" '')
        case '*'
            printf '%s\n' $list
    end
end
complete -c web-backend -f -a '(__web_backend_complete)'
