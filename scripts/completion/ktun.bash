# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for ktun(8).  ktun itself knows its words, and asks the running ktund for names and ids.
_ktun()
{
	COMPREPLY=()
	if [[ ${COMP_WORDS[COMP_CWORD - 1]} == --runtime-dir ]]; then
		mapfile -t COMPREPLY < <(compgen -d -- "${COMP_WORDS[COMP_CWORD]}")
		return
	fi
	if [[ ${COMP_WORDS[COMP_CWORD - 1]} == -batch ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
		return
	fi
	if [[ ${COMP_WORDS[COMP_CWORD - 1]} == -n ]]; then
		mapfile -t COMPREPLY < <(cd /run/netns 2>/dev/null && compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
		return
	fi
	# No compgen -W here: it would expand what peers call themselves.
	mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _ktun ktun
