#!/usr/bin/env bash
# Real nodes on one machine, as one cluster. Needs bash, core utilities and Node.js; no root.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/cluster.sh COMMAND

  start [N] [--tls]  start N nodes (default 3), or those that were stopped; --tls: the members
                     prove who they are by certificates, made for them
  stop               stop all nodes; what they store stays
  restart            stop, then start the same nodes
  status             which nodes run and answer, and what they say of the cluster
  kill I             kill -9 node I, as a crash would
  start-node I       start node I again
  logs I             follow the log of node I
  clean              stop all nodes and remove what they store

Environment: EASEGRESS_CLUSTER_DIR (default .easegress/cluster), EASEGRESS_CLUSTER_PORT (default
23800: peers on 23810, 23820, …, admin API on 23811, 23821, …), EASEGRESS_CLUSTER_WORKERS (default
1 a node), EASEGRESS_DIST (default dist).
TEXT
}

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
DIR=${EASEGRESS_CLUSTER_DIR:-$ROOT/.easegress/cluster}
BASE=${EASEGRESS_CLUSTER_PORT:-23800}
WORKERS=${EASEGRESS_CLUSTER_WORKERS:-1}
DIST=${EASEGRESS_DIST:-$ROOT/dist}
CLUSTER=cluster-on-one-machine
HEALTHY_SECONDS=60

say() { printf '%s\n' "$*"; }
fail() {
  printf 'cluster.sh: %s\n' "$*" >&2
  exit 1
}

name_of() { printf 'eg-%d' "$1"; }
home_of() { printf '%s/%s' "$DIR" "$(name_of "$1")"; }
peer_port() { printf '%d' $((BASE + 10 * $1)); }
api_port() { printf '%d' $((BASE + 10 * $1 + 1)); }
client_port() { printf '%d' $((BASE + 10 * $1 + 2)); }

count() { cat "$DIR/count" 2>/dev/null || printf 0; }
scheme() { cat "$DIR/scheme" 2>/dev/null || printf http; }
nodes() {
  local i
  for ((i = 1; i <= $(count); i++)); do printf '%d\n' "$i"; done
}

check_number() {
  [[ ${1:-} =~ ^[1-9][0-9]*$ ]] || fail "expected the number of a node, got \"${1:-}\""
  (($1 <= $(count))) || fail "there is no node $1: the cluster has $(count)"
}

pid_of() { cat "$(home_of "$1")/pid" 2>/dev/null || true; }

# True when it runs and is ours, not another process that got its number.
runs() {
  local pid
  pid=$(pid_of "$1")
  [[ -n $pid ]] && kill -0 "$pid" 2>/dev/null || return 1
  [[ ! -r /proc/$pid/cmdline ]] || { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -q "$(home_of "$1")/"
}

# Whether the admin API of node I says that it is healthy; nothing but bash.
is_healthy() {
  local answer
  answer=$( (
    exec 3<>"/dev/tcp/127.0.0.1/$(api_port "$1")" || exit 1
    printf 'GET /apis/v1/healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' >&3
    head -n 1 <&3
  ) 2>/dev/null) || return 1
  [[ $answer == *" 200 "* ]]
}

write_config() {
  local i=$1 members=$2 home
  home=$(home_of "$i")
  local template=node.yaml.in
  [[ $(scheme) == http ]] || template=node-tls.yaml.in
  mkdir -p "$home"
  sed -e "s|@NUMBER@|$i|g" \
    -e "s|@NAME@|$(name_of "$i")|g" \
    -e "s|@CLUSTER@|$CLUSTER|g" \
    -e "s|@PEER_URL@|$(scheme)://127.0.0.1:$(peer_port "$i")|g" \
    -e "s|@CLIENT_URL@|$(scheme)://127.0.0.1:$(client_port "$i")|g" \
    -e "s|@MEMBERS@|$members|g" \
    -e "s|@CERTIFICATES@|$DIR/certificates|g" \
    -e "s|@API_ADDR@|127.0.0.1:$(api_port "$i")|g" \
    -e "s|@TRAFFIC_HOST@|127.0.0.$i|g" \
    -e "s|@WORKERS@|$WORKERS|g" \
    -e "s|@HOME_DIR@|$home|g" \
    "$ROOT/cluster-configs/templates/$template" >"$home/eg.yaml"
}

create() {
  local n=$1 i members=
  mkdir -p "$DIR"
  for ((i = 1; i <= n; i++)); do
    members+="${members:+, }$(name_of "$i"): $(scheme)://127.0.0.1:$(peer_port "$i")"
  done
  if [[ $(scheme) == https ]]; then
    local names=()
    for ((i = 1; i <= n; i++)); do names+=("$(name_of "$i")"); done
    node "$DIST/scripts/certificates.js" "$DIR/certificates" "${names[@]}"
  fi
  for ((i = 1; i <= n; i++)); do write_config "$i" "{$members}"; done
  printf '%s\n' "$n" >"$DIR/count"
}

start_node() {
  local home
  home=$(home_of "$1")
  if runs "$1"; then return; fi
  # A process group of its own, so that parent and child can be killed as one.
  set -m
  # The terminal may close; the node goes on.
  (trap '' HUP; exec node "$DIST/src/parent.js" -f "$home/eg.yaml") >>"$home/output.log" 2>&1 </dev/null &
  printf '%s\n' "$!" >"$home/pid"
  set +m
}

wait_healthy() {
  local i=$1 deadline=$((SECONDS + HEALTHY_SECONDS))
  until is_healthy "$i"; do
    if ! runs "$i"; then
      tail -n 5 "$(home_of "$i")/output.log" >&2
      fail "$(name_of "$i") has ended"
    fi
    ((SECONDS < deadline)) || fail "$(name_of "$i") is not healthy after $HEALTHY_SECONDS s; see $(home_of "$i")/output.log"
    sleep 0.1
  done
}

endpoints() {
  local i
  for i in $(nodes); do
    say "$(name_of "$i")  traffic http://127.0.0.$i:PORT  admin http://127.0.0.1:$(api_port "$i")  peers $(scheme)://127.0.0.1:$(peer_port "$i")"
  done
  say "try: bin/egctl --server 127.0.0.1:$(api_port 1) member list -o table"
}

start() {
  local n= tls=0 arg i
  for arg in "$@"; do
    if [[ $arg == --tls ]]; then tls=1; else n=$arg; fi
  done
  [[ -f $DIST/src/parent.js ]] || fail "there is no build: run npm run build first"
  if (($(count) > 0)); then
    [[ -z $n || $n == "$(count)" ]] || fail "there is a cluster of $(count) nodes already; clean removes it"
    ((tls == 0)) || [[ $(scheme) == https ]] || fail 'there is a cluster without TLS already; clean removes it'
  else
    n=${n:-3}
    [[ $n =~ ^[1-7]$ ]] || fail "expected 1 to 7 nodes, got \"$n\""
    mkdir -p "$DIR"
    if ((tls == 1)); then printf 'https\n' >"$DIR/scheme"; else printf 'http\n' >"$DIR/scheme"; fi
    create "$n"
  fi
  for i in $(nodes); do start_node "$i"; done
  for i in $(nodes); do wait_healthy "$i"; done
  endpoints
}

stop() {
  local i deadline
  for i in $(nodes); do if runs "$i"; then kill -TERM "$(pid_of "$i")"; fi; done
  deadline=$((SECONDS + 30))
  for i in $(nodes); do
    while runs "$i"; do
      if ((SECONDS >= deadline)); then
        say "$(name_of "$i") does not stop, killing it"
        kill -KILL -- "-$(pid_of "$i")" 2>/dev/null || true
      fi
      sleep 0.1
    done
    rm -f "$(home_of "$i")/pid"
  done
}

status() {
  (($(count) > 0)) || fail "there is no cluster in $DIR"
  local i state healthy=
  for i in $(nodes); do
    state='does not run'
    if runs "$i"; then state="runs (pid $(pid_of "$i")), no healthy answer"; fi
    if is_healthy "$i"; then
      state="healthy (pid $(pid_of "$i"))"
      healthy=${healthy:-$i}
    fi
    say "$(name_of "$i"): $state"
  done
  if [[ -n $healthy ]]; then
    node "$DIST/src/cli/main.js" --server "127.0.0.1:$(api_port "$healthy")" member list -o table
  fi
}

kill_node() {
  check_number "${1:-}"
  runs "$1" || fail "$(name_of "$1") does not run"
  kill -KILL -- "-$(pid_of "$1")"
  while runs "$1"; do sleep 0.05; done
  say "$(name_of "$1") killed"
}

clean() {
  stop
  [[ $DIR != / && -d $DIR ]] || return 0
  local i
  for i in $(nodes); do rm -rf "$(home_of "$i")"; done
  rm -rf "$DIR/certificates" "$DIR/count" "$DIR/scheme"
  rmdir "$DIR" 2>/dev/null || true
}

command=${1:-}
shift || true
case $command in
  start) start "$@" ;;
  stop) stop ;;
  restart) stop && start ;;
  status) status ;;
  kill) kill_node "$@" ;;
  start-node)
    check_number "${1:-}"
    start_node "$1"
    wait_healthy "$1"
    ;;
  logs)
    check_number "${1:-}"
    exec tail -n 100 -F "$(home_of "$1")/output.log"
    ;;
  clean) clean ;;
  -h | --help | help) usage ;;
  *)
    usage >&2
    exit 1
    ;;
esac
