#!/bin/bash
# A one-node Ceph with its S3 gateway on loopback, of Debian's packages: radosgw.sh FOLDER [memstore|bluestore].
# What it keeps in memory (memstore) is gone when its osd is killed; killing the gateway alone is harmless.
set -e
D=$1
STORE=${2:-memstore}
port() { python3 -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])"; }
P1=$(port); P2=$(port); PR=$(port); FSID=$(cat /proc/sys/kernel/random/uuid)
mkdir -p "$D"/{mon,osd,run,log,rgw}
cat > "$D/ceph.conf" <<CONF
[global]
fsid = $FSID
mon host = [v2:127.0.0.1:$P1/0,v1:127.0.0.1:$P2/0]
mon initial members = a
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = $D/keyring
auth allow insecure global id reclaim = false
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 2000
osd crush chooseleaf type = 0
osd objectstore = $STORE
memstore device bytes = 4294967296
bluestore block size = 8589934592
osd memory target = 939524096
mon data = $D/mon
osd data = $D/osd
run dir = $D/run
admin socket = $D/run/\$name.asok
pid file = $D/run/\$name.pid
log file = $D/log/\$name.log
mon cluster log file = $D/log/cluster.log
mon osd min in ratio = 0
mon data avail warn = 1
mon data avail crit = 0
[client.rgw.a]
rgw data = $D/rgw
rgw frontends = beast endpoint=127.0.0.1:$PR tcp_nodelay=1
rgw enable usage log = false
rgw thread pool size = 32
rgw enable apis = s3, admin
CONF
export CEPH_CONF=$D/ceph.conf CEPH_ARGS="-c $D/ceph.conf"
monmaptool --create --clobber --fsid "$FSID" --addv a "[v2:127.0.0.1:$P1,v1:127.0.0.1:$P2]" "$D/monmap" >/dev/null
ceph-authtool --create-keyring "$D/keyring" --gen-key -n mon. --cap mon 'allow *' >/dev/null
for name in client.admin client.rgw.a; do
    ceph-authtool "$D/keyring" --gen-key -n $name --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
done
ceph-authtool "$D/keyring" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *' --cap mgr 'allow profile osd'
ceph-mon --mkfs -i a --monmap "$D/monmap" --keyring "$D/keyring" >/dev/null 2>&1
ceph-mon -i a -f >"$D/log/mon.out" 2>&1 & echo $! >"$D/mon.pid"
ceph osd create >/dev/null 2>&1
ceph-osd -i 0 --mkfs >"$D/log/mkfs.out" 2>&1
ceph-osd -i 0 -f >"$D/log/osd.out" 2>&1 & echo $! >"$D/osd.pid"
radosgw -n client.rgw.a -f >"$D/log/rgw.out" 2>&1 & echo $! >"$D/rgw.pid"
for turn in $(seq 1 600); do
    python3 -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:$PR/')" 2>/dev/null && break
    sleep .1
done
[ "$turn" -lt 600 ] || { echo "radosgw did not start"; tail -3 "$D"/log/*; exit 1; }
radosgw-admin user create --uid=test --display-name=test --access-key=TESTKEY0123456789AB \
    --secret-key=testsecret0123456789testsecret0123456789 >/dev/null 2>&1
echo "http://127.0.0.1:$PR" >"$D/endpoint"
