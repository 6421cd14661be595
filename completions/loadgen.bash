# bash completion for loadgen(1)

_loadgen() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=

	COMPREPLY=()
	# readline takes "--option=value" as three words.
	if [[ $cur == = ]]; then
		cur=
	elif [[ $prev == = ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $prev in
	-p | --post | -u | --put | --urls | -E | --tls-certificate | -e | --percentiles | -g | --gnuplot | --json | --csv | \
		--hgrm | --series | --plot)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--arrivals) words='constant poisson' ;;
	-f | --tls-protocol) words='SSL3 TLS1 TLS1.1 TLS1.2 TLS1.3 ALL' ;;
	-m | --method) words='GET HEAD POST PUT DELETE OPTIONS PATCH' ;;
	-T | --content-type) words='text/plain application/json application/x-www-form-urlencoded' ;;
	--threads) words='auto' ;;
	-v | --verbosity) words='1 2 3 4' ;;
	-n | --requests | -c | --concurrency | -t | --timelimit | -s | --timeout | --duration | --rate | --ramp | --warmup | \
		--repeat | --seed | --sleep | --pipeline | -H | --header | -C | --cookie | -A | --auth | -b | --socket-buffer | \
		-B | --bind | --source | -X | --proxy | -P | --proxy-auth | -Z | --tls-ciphers | --expect | -x | --html-table | \
		-y | --html-row | -z | --html-cell)
		return # any value
		;;
	*)
		if [[ $cur == -* ]]; then
			words='-n --requests -c --concurrency -t --timelimit -s --timeout -k --keepalive --duration --rate
				--arrivals --ramp --warmup --repeat --seed --sleep --threads --pin --pipeline --until-saturated
				-m --method -i --head -p --post -u --put -T --content-type -H --header -C --cookie -A --auth --chunked
				--urls -b --socket-buffer -B --bind --source -X --proxy -P --proxy-auth -f --tls-protocol
				-Z --tls-ciphers -E --tls-certificate -I --no-sni -l --variable-length -r --keep-going --expect
				-e --percentiles -g --gnuplot -w --html -x --html-table -y --html-row -z --html-cell
				-d --no-percentiles -S --no-deviation -q --quiet -v --verbosity --json --csv --hgrm --series --plot
				-V --version -h --help'
		else
			words='http:// https:// unix:'
			compopt -o nospace 2>/dev/null
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _loadgen loadgen
