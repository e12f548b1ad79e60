# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What the cases `mmap-write` and `mmap-write-cached` do on the device $TAG: writes to shared mappings, and compares with the host.

must fsmount "$TAG" "$M" ${OPTIONS:+-o "$OPTIONS"}
cd "$M" || exit 1
cat > /tmp/map.py <<'END'
import mmap, os, random, sys
random.seed(int(sys.argv[1]))
SIZE = 600000
shadow = bytearray(random.randbytes(SIZE))
fd = os.open("mapped", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
os.write(fd, shadow)
for turn in range(30):
    with mmap.mmap(fd, len(shadow)) as memory:
        for _ in range(20):
            at, size = random.randrange(len(shadow)), random.choice((1, 100, 4096, 50000))
            data = random.randbytes(min(size, len(shadow) - at))
            if random.random() < 0.3:
                assert os.pwrite(fd, data, at) == len(data)
            else:
                memory[at:at + len(data)] = data
            shadow[at:at + len(data)] = data
            if random.random() < 0.1:
                memory.flush()
            if random.random() < 0.1:
                assert os.pread(fd, 20000, at) == shadow[at:at + 20000], (turn, at)
        assert memory[:] == shadow, turn
    size = random.randrange(1000, SIZE)
    os.ftruncate(fd, size)
    if size < len(shadow):
        del shadow[size:]
    else:
        shadow.extend(bytes(size - len(shadow)))
    assert os.pread(fd, SIZE, 0) == shadow, (turn, "truncated")
    if turn % 5 == 4:
        os.fsync(fd)
        open("/proc/sys/vm/drop_caches", "w").write("3")
        assert os.pread(fd, SIZE, 0) == shadow, (turn, "read anew")
os.close(fd)
open("/tmp/wanted", "wb").write(shadow)
END
for seed in $(seq "$(short_long 3 60)"); do
	check "seed $seed: mapping, write, truncate" python3 /tmp/map.py "$seed"
	same "seed $seed: the host has it" "$(host run "$TAG" sh 'sha256sum < mapped')" "$(sha256sum < /tmp/wanted)"
	progress "seed $seed"
done
check "msync" python3 -c '
import mmap, os
fd = os.open("synced", os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 100000)
memory = mmap.mmap(fd, 100000)
memory[50000:50004] = b"here"
memory.flush()
os.system("cmp -s synced synced")
open("/tmp/hold", "w").write("")
os._exit(0)'
same "it is on the host" "$(host run "$TAG" sh 'tail -c +50001 synced | head -c 4')" here
check "a large mapping, written all over" python3 -c '
import mmap, os
fd = os.open("large", os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 40 << 20)
with mmap.mmap(fd, 40 << 20) as memory:
    for page in range(40 << 8):
        memory[page << 12] = page & 255
os.close(fd)'
same "all of it is on the host" "$(host run "$TAG" sh 'python3 -c "data = open(\"large\", \"rb\").read(); print(all(data[page << 12] == page & 255 for page in range(40 << 8)))"')" True
check "a private mapping stays private" python3 -c '
import mmap, os
fd = os.open("synced", os.O_RDWR)
with mmap.mmap(fd, 4096, mmap.MAP_PRIVATE) as memory:
    memory[0:4] = b"mine"
assert os.pread(fd, 4, 0) == b"\0\0\0\0"'
check "a program is run from it" sh -c 'cp /bin/true prog; chmod 755 prog; ./prog'
cd /
check "umount" umount "$M"
