#!/bin/sh
# Installs the CloudAIPilot agent on this server and enrols it. The install command that the
# control plane shows runs it as root, the single-use token on standard input:
#
#   printf %s TOKEN | sh install.sh https://HOST:PORT CA.pem
#
# Everything is fetched over TLS from the control plane alone, checked against that CA and under
# the name that only its own certificate bears.
set -eu
umask 022

if [ $# -ne 2 ] || [ "${1#https://}" = "$1" ]; then
  echo "usage: sh install.sh https://HOST:PORT CA-FILE, the token on standard input" >&2
  exit 2
fi
server=${1#https://}
server=${server%/}
case $server in *:[0-9]*) ;; *) server=$server:443 ;; esac
ca=$2
[ "$(id -u)" = 0 ] || { echo "install.sh has to run as root" >&2; exit 1; }
[ -d /run/systemd/system ] || { echo "install.sh needs a server that runs systemd" >&2; exit 1; }
[ -f "$ca" ] || { echo "install.sh: no such file: $ca" >&2; exit 1; }

name=control.caip.internal
lib=/usr/local/lib/caip
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

say() { echo "  $*"; }
get() {
  curl --fail --silent --show-error --tlsv1.3 --proto =https --cacert "$ca" --max-time 120 \
    --connect-to "$name:443:$server" -o "$2" "https://$name$1"
}

say "Fetching the agent from $server"
get /install/caip-agent "$work/caip-agent"
get /install/caip-helper "$work/caip-helper"

getent passwd caip-agent >/dev/null ||
  useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin caip-agent

say "Installing into $lib"
install -d -m 0755 "$lib"
for program in caip-agent caip-helper; do
  install -m 0755 "$work/$program" "$lib/$program.new"
  mv -f "$lib/$program.new" "$lib/$program"
done
ln -sf "$lib/caip-agent" /usr/local/sbin/caip-agent  # for root's own hand: caip-agent panic

say "Enrolling this server"
"$lib/caip-agent" enrol --server "$server" --ca "$ca" --token-stdin

cat > "$work/caip-agent.service" <<'UNIT'
# caip-agent starts as root, starts caip-helper, and drops to the user caip-agent before it
# opens a connection. What is said here holds for both halves; each narrows itself further.
[Unit]
Description=CloudAIPilot agent
After=network-online.target dbus.service
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/local/lib/caip/caip-agent run
Restart=always
RestartSec=2
KillMode=control-group
StateDirectory=caip-helper
StateDirectoryMode=0700
# env values of users: each may read their own file, and nobody but root sees which there are
ConfigurationDirectory=caip-env
ConfigurationDirectoryMode=0711
UMask=0077

NoNewPrivileges=yes
CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_SETPCAP CAP_CHOWN
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service seccomp capset setuid setgid setgroups setresuid setresgid
SystemCallErrorNumber=EPERM
LimitCORE=0
MemoryMax=256M
TasksMax=16

[Install]
WantedBy=multi-user.target
UNIT
install -m 0644 "$work/caip-agent.service" /etc/systemd/system/caip-agent.service
systemctl daemon-reload
systemctl enable --quiet caip-agent.service
systemctl restart caip-agent.service
say "The agent is running: systemctl status caip-agent"
