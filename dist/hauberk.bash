# bash completion for hauberk
_hauberk() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i config=
    local commands='run check explain simulate ctl probe version help'
    local files='--config --cert --key --staple --client-ca --external-password-file --ticket-secret --psk-file --backend-ca --backend-cert --backend-key --backend-psk-file'
    local flags='--debug --trusted-network --public-mx --plaintext-auth --help --help-tls'
    local values='--listen --backend --workers --log --log-to --certificate-folder --connections-per-address --connections-per-network
        --handshakes-per-network --handshakes-per-second --handshakes-at-once --failed-logins-per-address --tarpit --memory-per-worker --limit-exempt --metrics --resolver --allow --deny --keys --user --sandbox --control --accept-proxy --client-address --tls --starttls-residue --profile --tls-min --tls-max --host --sni --require-ems --alpn
        --alpn-protocols --client-auth --client-verify --client-identity --external --external-user --resumption --tickets --ticket-lifetime --record-size-limit --groups
        --idle-timeout --preauth-timeout --bad-commands --backend-name --backend-verify --backend-pin --backend-profile
        --backend-tls-min --backend-tls-max --backend-alpn --backend-groups'

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur")
        return
    fi
    case $prev in
    --tls) mapfile -t COMPREPLY < <(compgen -W 'required optional observe warn' -- "$cur") ;;
    --starttls-residue) mapfile -t COMPREPLY < <(compgen -W 'handshake discard' -- "$cur") ;;
    --client-address) mapfile -t COMPREPLY < <(compgen -W 'off proxy-v1 proxy-v2 command' -- "$cur") ;;
    --profile) mapfile -t COMPREPLY < <(compgen -W 'intermediate modern legacy' -- "$cur") ;;
    --backend-profile) mapfile -t COMPREPLY < <(compgen -W 'intermediate modern legacy antique' -- "$cur") ;;
    --backend-verify) mapfile -t COMPREPLY < <(compgen -W 'full chain pin none' -- "$cur") ;;
    --client-auth) mapfile -t COMPREPLY < <(compgen -W 'off request require' -- "$cur") ;;
    --client-verify) mapfile -t COMPREPLY < <(compgen -W 'chain none' -- "$cur") ;;
    --client-identity) mapfile -t COMPREPLY < <(compgen -W 'email-or-cn email cn san-dns' -- "$cur") ;;
    --external) mapfile -t COMPREPLY < <(compgen -W 'off plain-master xclient proxy' -- "$cur") ;;
    --keys) mapfile -t COMPREPLY < <(compgen -W 'keeper worker' -- "$cur") ;;
    --require-ems) mapfile -t COMPREPLY < <(compgen -W 'off on' -- "$cur") ;;
    --sandbox) mapfile -t COMPREPLY < <(compgen -W 'on off' -- "$cur") ;;
    --user) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
    --sni) mapfile -t COMPREPLY < <(compgen -W 'default strict' -- "$cur") ;;
    --alpn) mapfile -t COMPREPLY < <(compgen -W 'strict lenient' -- "$cur") ;;
    --resumption) mapfile -t COMPREPLY < <(compgen -W 'on off' -- "$cur") ;;
    --log-to) mapfile -t COMPREPLY < <(compgen -W 'stderr journald syslog' -- "$cur") ;;
    --log) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur") ;;
    --tls-min | --tls-max | --backend-tls-min | --backend-tls-max)
        mapfile -t COMPREPLY < <(compgen -W '1.0 1.1 1.2 1.3' -- "$cur")
        ;;
    --certificate-folder) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
    *)
        if [[ " $files " == *" $prev "* ]]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        elif [[ ${COMP_WORDS[1]} == ctl ]]; then
            mapfile -t COMPREPLY < <(compgen -W 'status health metrics sessions kill reload drain --control' -- "$cur")
        elif [[ ${COMP_WORDS[1]} == probe ]]; then
            [[ $cur != -* ]] || mapfile -t COMPREPLY < <(compgen -W '--ca --name --tlsa --next-hop --sts-policy --profile --resolver --host --timeout --json --help' -- "$cur")
        elif [[ $cur == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "$files $flags $values" -- "$cur")
        elif [[ ${COMP_WORDS[1]} == explain || ${COMP_WORDS[1]} == simulate ]] && [ "$COMP_CWORD" -eq 2 ]; then
            for ((i = 2; i < ${#COMP_WORDS[@]}; i++)); do
                [ "${COMP_WORDS[i]}" != --config ] || config=${COMP_WORDS[i + 1]}
            done
            # shellcheck disable=SC2016
            mapfile -t COMPREPLY < <(compgen -W "$(sed -nE 's/^[[:space:]]*listener[[:space:]]+([^[:space:]{]+).*/\1/p' \
                "${config:-/etc/hauberk/hauberk.conf}" 2>/dev/null) --config" -- "$cur")
        fi
        ;;
    esac
}
complete -F _hauberk hauberk
