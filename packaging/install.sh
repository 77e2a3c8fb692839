#!/bin/sh
# Installs the CloudAIPilot agent on this server and enrols it, or takes it off again. The install
# command that the control plane shows runs it as root, the single-use token on standard input:
#
#   printf %s TOKEN | sh install.sh [--dry-run] https://HOST:PORT CA.pem AGENT-CA-SHA256
#   sh /usr/local/lib/caip/install.sh --uninstall [--purge] [--dry-run]
#
# Everything is fetched over TLS from the control plane alone, checked against that CA and under
# the name that only its own certificate bears, and compared with its list of checksums before
# anything is put in its place. --dry-run says what would be done and does nothing. --uninstall
# leaves the server's identity, its policy and the env values that services may be using;
# --purge removes those too, and nothing else that is in /etc/caip. Sites run on either way: their files are in
# /srv/caip-sites, what nginx knows of them in /etc/nginx/conf.d/caip-site_*.conf.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

name=control.caip.internal
lib=/usr/local/lib/caip
units=/etc/systemd/system
unit=$units/caip-agent.service
sites="caip-sites.service caip-sites.timer caip-sites-check.service"
link=/usr/local/sbin/caip-agent
config=/etc/caip
kept="$config /etc/caip-env /var/lib/caip-helper"

say() { echo "  $*"; }
die() { echo "install.sh: $*" >&2; exit 1; }
usage() {
  sed -n '5,6s/^#   //p' "$0" >&2
  exit 2
}

dry='' uninstall='' purge=''
while [ $# -gt 0 ]; do
  case $1 in
    --dry-run) dry=yes ;;
    --uninstall) uninstall=yes ;;
    --purge) purge=yes ;;
    -*) usage ;;
    *) break ;;
  esac
  shift
done
[ -z "$purge" ] || [ -n "$uninstall" ] || usage
if [ -n "$uninstall" ]; then [ $# -eq 0 ] || usage; else [ $# -eq 3 ] || usage; fi

run() { if [ -n "$dry" ]; then say "would run: $*"; else "$@"; fi; }
[ -n "$dry" ] || [ "$(id -u)" = 0 ] || die "has to run as root"
[ -n "$dry" ] || [ -d /run/systemd/system ] || die "needs a server that runs systemd"

uninstall() {
  if [ ! -e "$unit" ] && [ ! -e "$lib" ]; then
    say "There is no agent here."
  else
    say "Stopping the agent and taking it off"
    if [ -e "$unit" ]; then run systemctl disable --quiet --now caip-agent.service || say "systemd could not stop it; going on"; fi
    if [ -e "$units/caip-sites.timer" ]; then run systemctl disable --quiet --now caip-sites.timer || say "systemd could not stop caip-sites.timer; going on"; fi
    run rm -f "$unit"
    for one in $sites; do run rm -f "$units/$one"; done
    run systemctl daemon-reload
    if [ "$(readlink "$link" || true)" = "$lib/caip-agent" ]; then run rm -f "$link"; fi
    run rm -rf "$lib"
  fi
  if [ -n "$purge" ]; then
    say "Removing what it knew"
    for file in agent.json agent.key agent.crt ca.pem agent-ca.pem witness.key policy.json panic; do run rm -f "$config/$file"; done
    run rm -rf /etc/caip-env /var/lib/caip-helper
    # A control plane on this machine has its own files there.
    if [ -d "$config" ]; then run rmdir "$config" 2>/dev/null || say "left: $config, which has files that are not the agent's"; fi
    if getent passwd caip-agent >/dev/null; then run userdel caip-agent || say "left: the user caip-agent"; fi
  else
    for path in $kept; do if [ -e "$path" ]; then say "kept: $path (--purge removes it)"; fi; done
  fi
  if [ -d /srv/caip-sites ]; then say "left: the sites, as they are (/srv/caip-sites, /etc/nginx/conf.d/caip-site_*.conf)"; fi
  say "The control plane still lists this server: caip server disconnect NAME lets it go."
}

if [ -n "$uninstall" ]; then uninstall; exit 0; fi

[ "${1#https://}" != "$1" ] || usage
server=${1#https://}
server=${server%/}
case $server in *:[0-9]*) ;; *) server=$server:443 ;; esac
ca=$2 fingerprint=$3
[ -f "$ca" ] || die "no such file: $ca"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

get() {
  curl --fail --silent --show-error --tlsv1.3 --proto =https --cacert "$ca" --max-time 120 \
    --connect-to "$name:443:$server" -o "$2" "https://$name$1"
}

say "Fetching the agent from $server"
for file in SHA256SUMS caip-agent caip-helper; do get "/install/$file" "$work/$file"; done
get /install.sh "$work/install.sh"
# Whom the agent trusts on its channel: post-quantum, and named by the command itself, so that who forges the CA later is not believed there.
get /agent-ca.pem "$work/agent-ca.pem"
[ "$(openssl x509 -in "$work/agent-ca.pem" -outform DER | openssl dgst -sha256 -r | cut -c1-64)" = "$fingerprint" ] ||
  die "another authority of the agents' channel than the install command names; nothing was changed"
(cd "$work" && sha256sum --check --strict --quiet SHA256SUMS) || die "what came is not what the control plane says it is; nothing was changed"
for file in caip-agent caip-helper install.sh; do
  grep -q "  $file\$" "$work/SHA256SUMS" || die "$file is in no list of checksums; nothing was changed"
done

getent passwd caip-agent >/dev/null ||
  run useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin caip-agent

say "Installing into $lib"
run install -d -m 0755 "$lib"
for program in caip-agent caip-helper install.sh; do
  run install -m 0755 "$work/$program" "$lib/$program.new"
  run mv -f "$lib/$program.new" "$lib/$program"
done
if [ -L "$link" ] || [ ! -e "$link" ]; then run ln -sfn "$lib/caip-agent" "$link"; fi  # for root's own hand: caip-agent panic

# The one that runs would go on with what it holds in memory, as a second holder of an identity that ends here.
say "Enrolling this server"
if [ -e "$unit" ]; then run systemctl stop caip-agent.service || die "the agent that is here does not stop; the token is unused"; fi
if ! run "$lib/caip-agent" enrol --server "$server" --ca "$ca" --agent-ca "$work/agent-ca.pem" --agent-ca-sha256 "$fingerprint" --token-stdin; then
  if [ -e "$unit" ]; then run systemctl start caip-agent.service; fi
  exit 1
fi

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

cat > "$work/caip-sites.service" <<'UNIT'
# Makes, changes and removes sites: started by caip-helper, which leaves a verified order for it, and by its timer for deleted
# sites whose time has come. It reads no network but the web server's answers on the loopback address.
[Unit]
Description=CloudAIPilot sites
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart=/usr/local/lib/caip/caip-helper sites
TimeoutStartSec=45
StateDirectory=caip-helper
StateDirectoryMode=0700
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE CAP_AUDIT_WRITE
AmbientCapabilities=
ProtectSystem=yes
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_NETLINK
IPAddressDeny=any
IPAddressAllow=localhost
RestrictNamespaces=yes
RestrictRealtime=yes
# not RestrictSUIDSGID=yes: it takes openat2(2) away, by which no link of a site's user is followed
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
LimitCORE=0
MemoryMax=256M
TasksMax=16
UNIT

cat > "$work/caip-sites.timer" <<'UNIT'
[Unit]
Description=CloudAIPilot sites: what is deleted goes when its time has come

[Timer]
OnBootSec=5min
OnUnitActiveSec=30min

[Install]
WantedBy=timers.target
UNIT

cat > "$work/caip-sites-check.service" <<'UNIT'
# Whether nginx takes its configuration with the staging copy in place of its own; nothing of it is in force.
[Unit]
Description=CloudAIPilot: nginx's configuration as it is to be
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart=/usr/sbin/nginx -t -q
TimeoutStartSec=20
BindReadOnlyPaths=/var/lib/caip-helper/sites/staging:/etc/nginx/conf.d
StandardOutput=null
StandardError=truncate:/var/lib/caip-helper/sites/check.log
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_NET_BIND_SERVICE
ProtectSystem=full
ProtectHome=read-only
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
UNIT

run install -m 0644 "$work/caip-agent.service" "$unit"
for one in $sites; do run install -m 0644 "$work/$one" "$units/$one"; done
run systemctl daemon-reload
run systemctl enable --quiet caip-agent.service
run systemctl enable --quiet --now caip-sites.timer
run systemctl restart caip-agent.service
if [ -n "$dry" ]; then say "Nothing was changed, and the token is unused."; else say "The agent is running: systemctl status caip-agent"; fi
