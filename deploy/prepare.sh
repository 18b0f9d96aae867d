#!/bin/sh
# Makes what compose.yaml expects beside itself: secrets, and folders for what is kept. As root, since the containers run as
# another account. Run again, it adds what is missing and changes nothing that is there.
set -eu
umask 077
cd "$(dirname "$0")"

OWNER=10001:10001 # the account of deploy/Dockerfile; compose.yaml runs all containers as it

keep() { # keep NAME COMMAND ...: what the command prints becomes secrets/NAME, whole or not at all, unless there is one already
    kept=secrets/$1
    [ -e "$kept" ] && return
    shift
    "$@" >"$kept.new"
    chown "$OWNER" "$kept.new"
    mv "$kept.new" "$kept"
    echo "made $kept"
}

mongodb_uri() {
    password=$(openssl rand -hex 32)
    echo "mongodb://mutoscope:$password@mongodb:27017/mutoscope?replicaSet=rs0"
}

s3_access_key_id() {
    name=$(openssl rand -hex 12)
    echo "GK$name"
}

s3_env() {
    name=$(cat secrets/s3_access_key_id)
    secret=$(cat secrets/s3_secret_access_key)
    printf '%s\n' GARAGE_DEFAULT_BUCKET=media "GARAGE_DEFAULT_ACCESS_KEY=$name" "GARAGE_DEFAULT_SECRET_KEY=$secret"
}

[ "$(id -u)" = 0 ] || { echo "Run this as root: what it makes belongs to the account $OWNER." >&2; exit 1; }
command -v openssl >/dev/null || { echo "Install openssl: secrets are made with it." >&2; exit 1; }

mkdir -p secrets
for folder in studio worker-1 worker-2 backup mongodb s3-meta s3-data; do
    mkdir -p "state/$folder"
    chown "$OWNER" "state/$folder"
done
chown "$OWNER" secrets state

keep jwt_secret openssl rand -hex 32
keep mongodb_keyfile openssl rand -base64 756
keep mongodb_root_password openssl rand -hex 32
keep mongodb_uri mongodb_uri
keep s3_rpc_secret openssl rand -hex 32
keep s3_access_key_id s3_access_key_id
keep s3_secret_access_key openssl rand -hex 32
# Garage takes its first key and bucket from its environment alone.
keep s3.env s3_env
