#!/usr/bin/env bash
# Walks through docs/guides/production.md on one machine: the files of ops/production with other ports and paths, the simulator for GitHub.
# Needs redis-server, nginx, openssl and curl, and prometheus for that step (apt-get install redis-server nginx-light openssl curl prometheus),
# and a build (npm run build). Prints a line for each step; ends with 1 at the first that fails.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin
T=$(mktemp -d)
chmod 755 "$T"
pids=()
end() {
  local status=$?
  kill "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  if [ "$status" != 0 ]; then tail -n 5 "$T"/*.log >&2; fi
  rm -rf "$T"
  exit "$status"
}
trap end EXIT
start() { # name, command
  local name=$1
  shift
  "$@" >"$T/$name.log" 2>&1 &
  pids+=($!)
}
until_ok() { # what, command: for 20 s
  local what=$1
  shift
  for _ in $(seq 200); do
    if "$@" >/dev/null 2>&1; then echo "ok   $what"; return; fi
    sleep 0.1
  done
  echo "FAIL $what" >&2
  return 1
}
check() { # what, expected pattern, command
  local what=$1 pattern=$2 got
  shift 2
  got=$("$@" 2>&1 || true)
  if grep -qiE "$pattern" <<<"$got"; then echo "ok   $what"; else
    printf 'FAIL %s: no %s in\n%s\n' "$what" "$pattern" "$got" >&2
    return 1
  fi
}
free_port() { node -e 'const s=require("net").createServer().listen(0,()=>{console.log(s.address().port);s.close()})'; }
secret() { openssl rand -hex 24; }

REDIS=$(free_port) NGINX=$(free_port) GITHUB=$(free_port) PROMETHEUS=$(free_port)
P1=$(free_port) P2=$(free_port) A1=$(free_port) A2=$(free_port)
REDIS_PASSWORD=$(secret) CREDENTIAL_SECRET=$(secret) ADMIN_TOKEN=$(secret) WEBHOOK_SECRET=$(secret)

# 1. Redis, with a user that may do what the service needs and nothing else
sed "s/>REDIS_PASSWORD/>$REDIS_PASSWORD/" ops/production/users.acl >"$T/users.acl"
sed -e "s/^port 6379/port $REDIS/" -e "s#/etc/redis/users.acl#$T/users.acl#" ops/production/redis.conf >"$T/redis.conf"
start redis redis-server "$T/redis.conf"
redis() { redis-cli -p "$REDIS" --user larder --no-auth-warning -a "$REDIS_PASSWORD" "$@"; }
redis_is_up() { redis PING | grep -q PONG; }
until_ok 'Redis answers its user' redis_is_up
check 'Redis answers nobody else' NOAUTH redis-cli -p "$REDIS" PING
check 'the user may not empty it' NOPERM redis FLUSHALL

# 2. Two replicas
start github env SIMULATOR_PORT="$GITHUB" SIMULATOR_LATENCY_MS=5 node dist/simulator/main.js
sed -e "s/^REDIS_PASSWORD=.*/REDIS_PASSWORD=$REDIS_PASSWORD/" -e "s/^CREDENTIAL_SECRET=.*/CREDENTIAL_SECRET=$CREDENTIAL_SECRET/" \
  -e "s/deploy:ADMIN_TOKEN/deploy:$ADMIN_TOKEN/" -e "s/^GITHUB_WEBHOOK_SECRET=.*/GITHUB_WEBHOOK_SECRET=$WEBHOOK_SECRET/" \
  -e "s#127.0.0.1:6379#127.0.0.1:$REDIS#" ops/production/larder.env >"$T/larder.env"
echo "GITHUB_API_URL=http://127.0.0.1:$GITHUB" >>"$T/larder.env"
replica() { # name, port, operators' port
  start "$1" env -i PATH="$PATH" PORT="$2" ADMIN_PORT="$3" $(grep -E '^[A-Z_]+=.' "$T/larder.env") node dist/src/main.js
}
replica larder-1 "$P1" "$A1"
replica larder-2 "$P2" "$A2"
ready() { curl -fsS "http://127.0.0.1:$1/health/ready"; }
until_ok 'the first replica is ready' ready "$P1"
until_ok 'the second replica is ready' ready "$P2"
check 'doctor finds no problem' '^0$' bash -c "env -i PATH='$PATH' $(grep -E '^[A-Z_]+=.' "$T/larder.env" | tr '\n' ' ') node dist/src/doctor/main.js --json >'$T/doctor.log'; echo \$?"

# 3. TLS by nginx
openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=larder.example -addext subjectAltName=DNS:larder.example \
  -keyout "$T/tls.key" -out "$T/tls.crt" 2>/dev/null
sed -e "s/127.0.0.1:8081/127.0.0.1:$P1/" -e "s/127.0.0.1:8082/127.0.0.1:$P2/" -e "s/listen 443/listen $NGINX/" \
  -e "s#/etc/larder/#$T/#" ops/production/nginx.conf >"$T/site.conf"
temp=$(for kind in client_body proxy fastcgi uwsgi scgi; do echo "${kind}_temp_path $T/$kind;"; done)
echo "daemon off; pid $T/nginx.pid; error_log $T/nginx-error.log; events {} http { access_log off; $temp include $T/site.conf; }" >"$T/nginx.conf"
start nginx nginx -c "$T/nginx.conf" -p "$T"
https() { # path, more arguments
  local path=$1
  shift
  curl -sSi --cacert "$T/tls.crt" --resolve "larder.example:$NGINX:127.0.0.1" "https://larder.example:$NGINX$path" "$@"
}
until_ok 'nginx answers by https' https /health/live --fail
check 'a first request goes to GitHub' 'Cache-Status: larder; fwd=uri-miss' https /github/users/redis
check 'the next ones are hits of either replica' 'cache-status: larder; hit' https /github/users/redis
check 'links stay inside, with the scheme and host of the client' "link: <https://larder.example:$NGINX/github/" https '/github/users/redis/repos?per_page=1'
check 'the public port knows no admin API' '404' https /admin/cache/count?all=true -H "Authorization: Bearer $ADMIN_TOKEN"

# 4. A webhook, and a purge: after the answer no replica has the old response
body='{"action":"edited","repository":{"full_name":"redis/redis","name":"redis","id":1,"owner":{"login":"redis","id":1}},"sender":{"login":"redis","id":1}}'
signature=sha256=$(printf %s "$body" | openssl dgst -sha256 -hmac "$WEBHOOK_SECRET" | sed 's/.*= //')
repo() { curl -sSi "http://127.0.0.1:$1/github/repos/redis/redis"; }
repo "$P1" >/dev/null
check 'the second replica has what the first has stored' 'larder; hit' repo "$P2"
check 'GitHub calls the webhook' '"invalidated"|200|202' https /webhooks/github -H 'Content-Type: application/json' -H 'X-GitHub-Event: repository' \
  -H "X-GitHub-Delivery: $(cat /proc/sys/kernel/random/uuid)" -H "X-Hub-Signature-256: $signature" --data-binary "$body"
check 'the event has removed it from both' 'fwd=(uri-miss|stale|vary-miss)' repo "$P2"
check 'a purge needs the token' ' 401 ' curl -sSi -X DELETE "http://127.0.0.1:$A1/admin/cache/accounts/redis"
check 'a purge by the port for operators' '"invalidated":[1-9]' curl -sS -X DELETE -H "Authorization: Bearer $ADMIN_TOKEN" "http://127.0.0.1:$A1/admin/cache/accounts/redis"
check 'the purge holds on the other replica' 'fwd=uri-miss' repo "$P2"

# 5. Prometheus, with the alerts
if command -v prometheus >/dev/null; then
  cp ops/alerts/larder.rules.yml "$T/"
  sed -e "s/127.0.0.1:9081/127.0.0.1:$A1/" -e "s/127.0.0.1:9082/127.0.0.1:$A2/" -e "s#/etc/prometheus/#$T/#" -e 's/interval: 10s/interval: 1s/' \
    ops/production/prometheus.yml >"$T/prometheus.yml"
  start prometheus prometheus --config.file="$T/prometheus.yml" --storage.tsdb.path="$T/data" --web.listen-address="127.0.0.1:$PROMETHEUS"
  query() { curl -fsS "http://127.0.0.1:$PROMETHEUS/api/v1/query" --data-urlencode "query=$1"; }
  both_up() { query 'count(up{job="larder"} == 1)' | grep -q '"2"'; }
  until_ok 'Prometheus scrapes both replicas' both_up
  check 'the alerts are loaded' '"name":"Larder' curl -fsS "http://127.0.0.1:$PROMETHEUS/api/v1/rules"
else echo 'skip prometheus is not installed'; fi

# 6. One replica is restarted, then the other: no request fails
all_answered() { # while what
  local at status
  for at in $(seq 20); do
    status=$(https "/github/users/redis?n=$at" -o /dev/null -w '%{http_code}' | tail -1)
    [ "$status" = 200 ] || { echo "FAIL $status while $1" >&2; exit 1; }
  done
  echo "ok   every request is answered while $1"
}
kill "${pids[2]}"
all_answered 'the first replica ends'
wait "${pids[2]}" || true
replica larder-1 "$P1" "$A1"
until_ok 'the first replica is ready again' ready "$P1"
kill "${pids[3]}"
all_answered 'the second replica ends right after it'
