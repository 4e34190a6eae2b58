# Sourced first by each script here: with `--help`, it prints the comment at the script's top, and the script does nothing else.
for argument; do
    case $argument in -h | --help)
        awk 'NR == 1 { next } !/^#/ { exit } { sub(/^# ?/, ""); print }' "${BASH_SOURCE[1]}"
        exit
        ;;
    esac
done
unset argument
