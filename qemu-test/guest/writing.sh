# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What the cases `write` and `write-cached` do on the device $TAG: writes data in many ways, and compares with the host.

# sum_is TEXT FILE: guest and host read the same, from other caches.
sum_is() {
	guest=$(sha256sum < "$2")
	same "$1" "$(host run "$TAG" sh "sha256sum < $2")" "$guest"
	echo 3 > /proc/sys/vm/drop_caches
	same "$1, read anew" "$(sha256sum < "$2")" "$guest"
}

must host run "$TAG" sh 'head -c 3000000 /dev/urandom > source'
must fsmount "$TAG" "$M" ${OPTIONS:+-o "$OPTIONS"}
cd "$M" || exit 1
for size in 1 100 4095 4096 4097 10000 65536 1048576 1048577 2999999; do
	head -c "$size" source > "f$size"
	same "$size bytes" "$(host run "$TAG" sh "cmp f$size source 2>&1 | grep -c EOF")" 1
done
check "dd in blocks of 10,240" dd if=source of=blocks bs=10240 status=none
sum_is "blocks" blocks
check "dd in blocks of 777" dd if=source of=odd bs=777 count=500 status=none
sum_is "odd blocks" odd
check "append" sh -c 'for i in $(seq 200); do echo "line $i" >> log; done'
same "200 lines" "$(host run "$TAG" sh 'wc -l < log; tail -n 1 log')" "200
line 200"
check "overwrite in the middle, at odd places" python3 -c '
import os, random
random.seed(1)
shadow = bytearray(open("source", "rb").read(500000))
with open("middle", "wb+", buffering=0) as file:
    file.write(shadow)
    for _ in range(400):
        at, size = random.randrange(510000), random.choice((1, 10, 4096, 5000, 70000))
        data = random.randbytes(size)
        if at > len(shadow):
            shadow.extend(bytes(at - len(shadow)))
        shadow[at:at + size] = data
        assert os.pwrite(file.fileno(), data, at) == size
        if random.random() < 0.2:
            assert os.pread(file.fileno(), 9000, at) == shadow[at:at + 9000], at
        if random.random() < 0.1:
            cut = random.randrange(len(shadow))
            os.ftruncate(file.fileno(), cut)
            del shadow[cut:]
    file.seek(0)
    assert file.read() == shadow
open("/tmp/wanted", "wb").write(shadow)'
same "it is on the host" "$(host run "$TAG" sh 'sha256sum < middle')" "$(sha256sum < /tmp/wanted)"
check "writev, pwritev" python3 -c '
import os
fd = os.open("vector", os.O_RDWR | os.O_CREAT)
assert os.writev(fd, [b"a" * 5000, b"", b"b" * 3000, b"c"]) == 8001
assert os.pwritev(fd, [b"x" * 10, b"y" * 10], 4990) == 20
assert os.pread(fd, 9000, 0) == b"a" * 4990 + b"x" * 10 + b"y" * 10 + b"b" * 2990 + b"c"'
check "memory that is not there gives EFAULT" python3 -c '
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open("fault", os.O_RDWR | os.O_CREAT)
for size in (1, 5000, 100000):
    assert libc.write(fd, ctypes.c_void_p(4096), size) == -1 and ctypes.get_errno() == errno.EFAULT'
check "O_DIRECT in blocks of 4 KiB" dd if=source of=direct bs=4096 count=500 oflag=direct status=none
check "O_DIRECT in blocks of 1 MiB" dd if=source of=direct1m bs=1M count=2 oflag=direct status=none
sum_is "direct" direct
sum_is "direct, large" direct1m
check "O_DIRECT beside a cached file" python3 -c '
import mmap, os
fd = os.open("beside", os.O_RDWR | os.O_CREAT)
os.write(fd, b"o" * 20000)
assert os.pread(fd, 20000, 0) == b"o" * 20000
direct = os.open("beside", os.O_RDWR | os.O_DIRECT)
page = mmap.mmap(-1, 8192)
page.write(b"d" * 8192)
assert os.pwrite(direct, page, 4096) == 8192
assert os.pread(fd, 20000, 0) == b"o" * 4096 + b"d" * 8192 + b"o" * 7712
os.pwrite(fd, b"n" * 100, 5000)
into = mmap.mmap(-1, 4096)
assert os.preadv(direct, [into], 4096) == 4096
assert into[:] == b"d" * 904 + b"n" * 100 + b"d" * 3092'
check "O_SYNC and O_DSYNC" sh -c 'dd if=source of=sync bs=5000 count=3 oflag=sync status=none; dd if=source of=sync bs=5000 count=3 oflag=dsync status=none'
sum_is "sync" sync
check "sendfile and splice" python3 -c '
import os
source, target = os.open("source", os.O_RDONLY), os.open("sent", os.O_WRONLY | os.O_CREAT)
while os.sendfile(target, source, None, 1 << 20):
    pass
receiver, sender = os.pipe()
os.lseek(source, 0, 0)
spliced = os.open("spliced", os.O_WRONLY | os.O_CREAT)
for _ in range(20):
    count = os.splice(source, sender, 30000)
    while count:
        count -= os.splice(receiver, spliced, count)'
same "sent" "$(host run "$TAG" sh 'cmp sent source && echo same')" same
same "spliced" "$(host run "$TAG" sh 'cmp spliced source 2>&1 | grep -c EOF')" 1
check "copy_file_range" python3 -c '
import os
source, target = os.open("source", os.O_RDONLY), os.open("copied", os.O_RDWR | os.O_CREAT)
os.write(target, b"x" * 100000)
assert os.copy_file_range(source, target, 50000, 1000, 20000) == 50000
assert os.pread(target, 60000, 10000) == b"x" * 10000 + os.pread(source, 50000, 1000)'
sum_is "copied" copied
check "fallocate, punch, zero" sh -c 'cp source holes; fallocate -p -o 100000 -l 500000 holes; fallocate -z -o 1000 -l 5000 holes; fallocate -l 4M holes'
same "size" "$(host run "$TAG" sh 'stat -c %s holes')" 4194304
sum_is "holes" holes
check "SEEK_HOLE, SEEK_DATA" python3 -c '
import os
fd = os.open("sparse", os.O_RDWR | os.O_CREAT)
os.pwrite(fd, b"x", 1 << 20)
os.fsync(fd)
assert os.lseek(fd, 0, os.SEEK_DATA) == 1 << 20
assert os.lseek(fd, 0, os.SEEK_HOLE) == 0
assert os.lseek(fd, 0, os.SEEK_END) == (1 << 20) + 1'
check "a full host says so" sh -c 'ulimit -f 10; ! python3 -c "
import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
os.write(os.open(\"limit\", os.O_WRONLY | os.O_CREAT), bytes(20000))
os.write(os.open(\"limit\", os.O_WRONLY | os.O_APPEND), bytes(20000))" 2> /dev/null'
same "size at the limit" "$(stat -c %s limit)" 5120
check "remount read-only" mount -o remount,ro "$M"
refuse "no more writes" sh -c 'echo x > late'
check "remount writable" mount -o remount,rw "$M"
check "writes again" sh -c 'echo x > late'
check "sync" sh -c 'sync; sync -f late'
cd /
check "umount" umount "$M"
