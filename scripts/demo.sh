#!/usr/bin/env bash
# The whole way of a record, on real input: an HTTP shop that logs with liblog behind a real nginx, requests of which
# some truly fail, a real logrotate, a kill -9, and shipper over all that is left. Everything happens in a temporary
# folder, on loopback, and is gone at the end; --keep leaves the folder for a look around.
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin # where Debian keeps nginx and logrotate

keep=no
case ${1:-} in
'') ;;
--keep) keep=yes ;;
*) fail "demo.sh takes --keep or nothing, not '$1'" ;;
esac

work=$(mktemp -d "${TMPDIR:-/tmp}/liblog-demo.XXXXXX")
children=()

# Ends what was started here, each by its own process id.
clean_up() {
    local pid
    for pid in "${children[@]}"; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    cd /
    [ "$keep" = yes ] || rm -rf "$work"
}
trap clean_up EXIT

say() { printf '    %s\n' "$*"; }

# Shows a command as one would type it, then runs it.
show() {
    printf '\n$ %s\n' "$1"
    bash -o pipefail -c "$1"
}

# wait_for SECONDS COMMAND…: until the command succeeds.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" 2>/dev/null; do
        [ "$SECONDS" -lt "$deadline" ] || fail "waited too long for: $*"
        sleep 0.05
    done
}

start_shop() {
    LOG_FILE=logs/shop.log LOG_SERVICE=shop APP_ENV=development SHOP_PAYMENT_URL=http://127.0.0.1:1/pay \
        "$project/build/release/examples/shop" shop.db >shop.address &
    shop_pid=$!
    children+=("$shop_pid")
    wait_for 10 test -s shop.address
    shop=$(cat shop.address)
}

# A port that is free now may be taken a moment later, so nginx itself is asked until one will do.
start_nginx() {
    local port try
    cp "$project/conf/nginx-json.conf" nginx/
    for try in {1..20}; do
        port=$((20000 + (RANDOM + try) % 12000))
        sed -e "s/@PORT@/$port/" -e "s#@SHOP@#$shop#" "$project/conf/nginx-shop.conf" >nginx/nginx.conf
        rm -f nginx/nginx.pid
        nginx -p nginx/ -e error.log -c nginx.conf 2>/dev/null &
        nginx_pid=$!
        wait_for 10 nginx_decided
        if kill -0 "$nginx_pid" 2>/dev/null; then
            children+=("$nginx_pid")
            front=http://127.0.0.1:$port
            return
        fi
    done
    fail "nginx does not start: $(cat nginx/error.log)"
}

# It serves (the pid file comes after the port), or it has given up.
nginx_decided() { [ -s nginx/nginx.pid ] || ! kill -0 "$nginx_pid"; }

sent=0
# request STATUS CURL-ARGUMENT…: sends one, and insists on the answer's status.
request() {
    local expected=$1 status
    shift
    status=$(curl --silent --show-error --output /dev/null --write-out '%{http_code}' \
        --header "traceparent: 00-$(random_hex 16)-$(random_hex 8)-01" --header "X-User: u-$((RANDOM % 20))" "$@")
    [ "$status" = "$expected" ] || fail "expected $expected, got $status: $*"
    sent=$((sent + 1))
}

random_hex() { od -An -v -tx1 -N"$1" /dev/urandom | tr -d ' \n'; }

browse() {
    local i
    for ((i = 0; i < $1; i++)); do
        request 200 "$front/product?id=$((i % 3 + 1))"
        request 201 -X POST "$front/order?product=$((i % 2 + 1))&quantity=1"
    done
}

rotate() { logrotate --force --state "$work/logrotate.state" logrotate.conf; }

step "Getting ready"
bash "$project/scripts/setup" demo
mkdir -p "$project/build"
build release -DLIBLOG_BUILD_TESTS=OFF
export PATH=$project/build/release/shipper:$PATH NO_COLOR=1
cd "$work"
mkdir logs nginx state
cp "$project/examples/shop/shipper.yaml" .
# The project's own rule for logrotate, on this folder's log.
sed "s#^/var/log/myapp/\*\.log#$work/logs/shop.log#" "$project/logrotate/liblog" >logrotate.conf

step "Starting a shop that logs with liblog, and nginx in front of it"
start_shop
start_nginx
say "the shop listens on $shop, nginx on $front"

step "Customers come. Some ask for what is not there, or make mistakes"
browse 12
request 404 "$front/product?id=4711"
request 404 -X POST "$front/order?product=99&quantity=1"
request 400 -X POST "$front/order?product=1&quantity=minus-one"
request 409 -X POST "$front/order?product=3&quantity=50"
say "$sent requests so far"

step "logrotate renames the log. The shop is not told; it sees by itself"
rotate
browse 8

step "A careless backup locks the whole database: orders fail for as long"
curl --silent --output /dev/null -X POST "$shop/admin/lock?ms=1200" &
lock_pid=$!
wait_for 5 grep -q 'locking the database' logs/shop.log
sleep 0.1
for product in 1 2 1; do
    request 503 -X POST "$front/order?product=$product&quantity=1"
done
request 503 "$front/product?id=1"
wait "$lock_pid"
sent=$((sent + 1))

step "logrotate again: the older file is compressed now"
rotate
browse 4

step "nginx still sends people to a service that is gone, and the payment service refuses connections"
for page in catalog prices; do
    request 502 "$front/legacy/$page"
done
sent=$((sent - 2)) # these two never reached the shop
for order in 1 2 3 4 5; do
    request 502 -X POST "$front/pay?order=$order"
done

step "The shop has counted its errors itself: asked from outside, while it runs"
show 'shipper stats --live logs/shop.log --format table'

step "kill -9 for the shop, right after its last answer: .shop.log.ll keeps what is not in the log yet"
{ kill -9 "$shop_pid" && wait "$shop_pid"; } 2>/dev/null || true # bash would tell of it, too
show 'ls -A logs'

step "shipper reads it all: rotated, compressed, left behind by the dead, and nginx's own format"
show 'shipper run --once -c shipper.yaml >forwarded.jsonl'
say "forwarded to stdout, as WARNING and above are to be: $(wc -l <forwarded.jsonl) records"

step "What went wrong, and how often"
show 'shipper report -c shipper.yaml'
show 'shipper report -c shipper.yaml --by service'
show 'shipper stats -c shipper.yaml'

step "The files are plain JSON lines, so jq answers questions of your own: the way of one failed payment"
trace=$(zcat -f logs/shop.log* | jq -r 'select(.logger == "shop.payment") | .trace_id' | head -n 1)
show "cat logs/shop.log | jq -c 'select(.trace_id == \"$trace\") | [.level, .logger, .message, .exception.code, .fields.status]'"

step "Was anything lost? Each request that the shop answered has its record"
served=$(zcat -f logs/shop.log* | jq -s 'map(select(.message == "request served")) | length')
say "answered: $sent requests; in the log: $served records \"request served\""
[ "$served" = "$sent" ] || fail "the two differ"
gaps=$(zcat -f logs/shop.log* | jq -s 'map(.seq) | sort | [., [range(1; length + 1)]] | .[0] == .[1]')
[ "$gaps" = true ] || fail "seq has gaps or repeats"
say "and seq runs from 1 without gap or repeat, over the rotations and the kill"

step "Reading once more finds nothing new, and counts nothing twice"
show 'shipper run --once -c shipper.yaml | wc -l'

step "Done. What to try next"
cat <<'EOT'
    scripts/demo.sh --keep                        the same, and the folder stays for a look around
    build/release/shipper/shipper --help          all commands; shipper explain DB_005 tells of an error code
    build/release/shipper/shipper run --once 'YOUR/LOGS/*.log*'
                                                  your own JSON logs: stdout as output, statistics in ./shipper.db
    docs/getting-started.md                       liblog in a program of yours, in ten lines
    scripts/test.sh                               all tests, a real Kafka broker among them
EOT
[ "$keep" = no ] || say "kept: $work"
