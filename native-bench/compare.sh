#!/usr/bin/env bash
# Do loadgen, wrk and h2load measure the same, and does origin do what nginx does? Each tool in turn
# loads the same server, round by round, so that a disturbance hits all alike; the medians are
# compared.
#
#   native-bench/compare.sh [ROUNDS] [SECONDS] [CONNECTIONS]      defaults: 7 1 64
#
# Three scenarios. "busy": one nginx process compresses 16 KB for each request, which costs far more
# than asking for it, so that nginx is the bottleneck whatever the client costs. Requests a second
# vary with whatever else the machine does; requests per second of nginx's own CPU time (from the
# scheduler's account) do not, and are what should agree. "paced": nginx hands out 2,000 answers a
# second (limit_req), so that a closed loop must show that rate and, by Little's law, a mean latency
# of connections / rate. "origin": our own back end delays each answer by connections / 2,000 s, so
# that it must show the same rate and latency as "paced".
#
# Prints one JSON object: per scenario the median of each tool, and the median of the ratios round
# by round of loadgen's figure over each other's; `counted` is what the tool says it was answered over
# what the server says it answered, `underWay` is rate times mean latency, by Little's law the
# connections that were waiting: on a busy machine rate and latency of "origin" suffer, as nothing
# but the client keeps its pace, but their product does not. `originOverNginx`: figures of "origin"
# over those of "paced", as loadgen sees them, in the median of rounds.
# Exit status 3: a tool is missing, and which.
set -euo pipefail
export LC_ALL=C

rounds=${1:-7}
seconds=${2:-1}
connections=${3:-64}
here=$(cd "$(dirname "$0")" && pwd)
loadgen=$here/build/loadgen

for tool in nginx wrk h2load; do
  if ! command -v "$tool" >/dev/null && [ ! -x "/usr/sbin/$tool" ]; then
    echo "compare: $tool is not installed (Debian: apt-get install -y nginx-light wrk nghttp2-client)" >&2
    exit 3
  fi
done
origin=$here/build/origin
[ -x "$loadgen" ] && [ -x "$origin" ] || make -s -C "$here" build/loadgen build/origin >&2

work=$(mktemp -d)
nginx_pid=
origin_pid=
cleanup() {
  local pid
  for pid in $nginx_pid $origin_pid; do kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

# With two cores or more the server and the clients stay out of each other's way.
server_cpu=()
client_cpu=()
if [ "$(nproc)" -ge 2 ] && command -v taskset >/dev/null && taskset -c 0 true 2>/dev/null; then
  server_cpu=(taskset -c 0)
  client_cpu=(taskset -c 1)
fi

mkdir "$work/www" "$work/temp"
# Text that compresses only so far; the same in every run.
awk 'BEGIN { srand(7); for (i = 0; i < 16384; i++) printf "%c", 97 + int(rand() * 26) }' >"$work/www/page.html"
echo ok >"$work/www/paced.html"

start_nginx() {
  local try
  for try in 1 2 3 4 5 6 7 8; do
    port=$((20000 + RANDOM % 12000))
    cat >"$work/nginx.conf" <<CONF
daemon off;
master_process off;
pid $work/nginx.pid;
error_log $work/error.log error;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path $work/temp; proxy_temp_path $work/temp; fastcgi_temp_path $work/temp;
  uwsgi_temp_path $work/temp; scgi_temp_path $work/temp;
  types { text/html html; }
  limit_req_zone \$server_port zone=paced:1m rate=2000r/s;
  server {
    listen 127.0.0.1:$port backlog=1024;
    root $work/www;
    location /page.html { gzip on; gzip_http_version 1.0; gzip_comp_level 6; }
    location /paced.html { limit_req zone=paced burst=100000; }
    location /status { stub_status; }
  }
}
CONF
    "${server_cpu[@]}" nginx -p "$work" -c "$work/nginx.conf" 2>"$work/start.log" &
    nginx_pid=$!
    local wait
    for wait in $(seq 100); do
      if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && kill -0 "$nginx_pid" 2>/dev/null; then return; fi
      kill -0 "$nginx_pid" 2>/dev/null || break
      sleep 0.02
    done
    kill "$nginx_pid" 2>/dev/null || true
    wait "$nginx_pid" 2>/dev/null || true
    nginx_pid=
  done
  cat "$work/start.log" >&2
  echo "compare: nginx does not start" >&2
  exit 1
}

start_origin() {
  "${server_cpu[@]}" "$origin" --default "delay=fixed:$((connections * 500))us&bytes=64" >"$work/origin.log" 2>&1 &
  origin_pid=$!
  local wait
  for wait in $(seq 100); do
    origin_port=$(sed -n 's/^ready .*:\([0-9]*\)$/\1/p' "$work/origin.log")
    if [ -n "$origin_port" ]; then return; fi
    sleep 0.02
  done
  cat "$work/origin.log" >&2
  echo "compare: origin does not start" >&2
  exit 1
}

# Each prints "REQUESTS REQUESTS_PER_SECOND MEAN_LATENCY_US".
run_loadgen() {
  "${client_cpu[@]}" "$loadgen" -q --json --fail-on-error -c "$connections" -d "${seconds}s" \
    -H 'Accept-Encoding: gzip' "$1" >"$work/loadgen.json"
  sed -E 's/.*"ok":([0-9]+),"rps":([0-9.]+),.*"latency":\{"unit":"ns","count":[0-9]+,"min":[0-9]+,"mean":([0-9.]+),.*/\1 \2 \3/' \
    "$work/loadgen.json" | awk '{ print $1, $2, $3 / 1000 }'
}

in_micros='function micros(text) {
  number = text + 0
  if (text ~ /us$/) return number
  if (text ~ /ms$/) return number * 1000
  return number * 1000000
}'

run_wrk() {
  "${client_cpu[@]}" wrk -t1 -c "$connections" -d "${seconds}s" -H 'Accept-Encoding: gzip' "$1" >"$work/wrk.txt"
  if grep -qE 'Socket errors|Non-2xx' "$work/wrk.txt"; then cat "$work/wrk.txt" >&2; exit 1; fi
  awk "$in_micros"' /^ *Latency / { mean = micros($2) } / requests in / { count = $1 } /^Requests\/sec:/ { print count, $2, mean }' "$work/wrk.txt"
}

run_h2load() {
  "${client_cpu[@]}" h2load --h1 -t1 -c "$connections" -D "$seconds" -H 'Accept-Encoding: gzip' "$1" >"$work/h2load.txt"
  # min, max, mean, sd: the mean is the third figure of its line.
  awk "$in_micros"' /^finished in/ { rate = $4 } /^requests:/ { count = $8 } /^time for request:/ { print count, rate, micros($6) }' "$work/h2load.txt"
}

median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# Round by round, what the first file has over what the second has.
ratios() { paste -d' ' <(cut -d' ' -f"$1" "$2") <(cut -d' ' -f"$1" "$3") | awk '{ print $1 / $2 }'; }

# What the server says it has answered. Its own two requests, this one and the one before, count too.
served() {
  if [ "$1" = origin ]; then
    exec 3<>"/dev/tcp/127.0.0.1/$origin_port"
    printf 'GET /stats HTTP/1.1\r\nHost: compare\r\nConnection: close\r\n\r\n' >&3
    sed -n 's/.*"requests":\([0-9]*\).*/\1/p' <&3
  else
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    printf 'GET /status HTTP/1.0\r\n\r\n' >&3
    awk 'previous ~ /^server accepts/ { print $3 } { previous = $0 }' <&3
  fi
  exec 3>&-
}

# Nanoseconds of CPU time of all threads of a process.
cpu_of() { cat /proc/"$1"/task/*/schedstat | awk '{ sum += $1 } END { printf "%.0f", sum }'; }

# One line per run: requests/s, mean latency in us, requests per CPU second of the server, counted,
# requests under way.
measure() {
  local tool=$1 url=$2 server=$3 pid=$nginx_pid before_cpu before_served after_cpu after_served
  if [ "$server" = origin ]; then pid=$origin_pid; fi
  before_served=$(served "$server")
  before_cpu=$(cpu_of "$pid")
  local figures
  figures=$("run_$tool" "$url")
  after_cpu=$(cpu_of "$pid")
  after_served=$(served "$server")
  echo "$figures $before_cpu $after_cpu $before_served $after_served" |
    awk '{ served = $7 - $6 - 1; print $2, $3, served / (($5 - $4) / 1e9), $1 / served, $2 * $3 / 1e6 }'
}

scenario() {
  local name=$1 url=$2 server=$3 round tool field key
  # Not counted: page cache, connections of the accept queue, clock frequency.
  run_loadgen "$url" >/dev/null
  for round in $(seq "$rounds"); do
    # Each tool is first as often as the others.
    local order=(loadgen wrk h2load loadgen wrk)
    for tool in "${order[@]:round % 3:3}"; do measure "$tool" "$url" "$server" >>"$work/$name.$tool"; done
    echo "$name round $round of $rounds: loadgen $(tail -n1 "$work/$name.loadgen"), wrk $(tail -n1 "$work/$name.wrk"), h2load $(tail -n1 "$work/$name.h2load")" >&2
  done
  printf '"%s":{' "$name"
  field=0
  for key in rps meanMicros perServerCpuSecond counted underWay; do
    field=$((field + 1))
    local l w h
    l=$(cut -d' ' -f$field "$work/$name.loadgen" | median)
    w=$(cut -d' ' -f$field "$work/$name.wrk" | median)
    h=$(cut -d' ' -f$field "$work/$name.h2load" | median)
    local over_wrk over_h2load
    over_wrk=$(ratios "$field" "$work/$name.loadgen" "$work/$name.wrk" | median)
    over_h2load=$(ratios "$field" "$work/$name.loadgen" "$work/$name.h2load" | median)
    awk -v key="$key" -v l="$l" -v w="$w" -v h="$h" -v ow="$over_wrk" -v oh="$over_h2load" -v comma="$([ $field -gt 1 ] && echo , || true)" 'BEGIN {
      printf "%s\"%s\":{\"loadgen\":%s,\"wrk\":%s,\"h2load\":%s,\"overWrk\":%.4f,\"overH2load\":%.4f}", comma, key, l, w, h, ow, oh
    }'
  done
  printf '}'
}

over() { ratios "$1" "$work/origin.loadgen" "$work/paced.loadgen" | median; }

start_nginx
start_origin
busy=$(scenario busy "http://127.0.0.1:$port/page.html" nginx)
paced=$(scenario paced "http://127.0.0.1:$port/paced.html" nginx)
delayed=$(scenario origin "http://127.0.0.1:$origin_port/" origin)
printf '{%s,%s,%s,"originOverNginx":{"rps":%.4f,"meanMicros":%.4f,"underWay":%.4f}}\n' "$busy" "$paced" "$delayed" "$(over 1)" "$(over 2)" "$(over 5)"
