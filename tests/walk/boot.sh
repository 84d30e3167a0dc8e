#!/bin/sh
# boot.sh TREE CGROUP: the first process of new mount, pid, network, uts and ipc namespaces; becomes systemd in TREE.
# A cgroup of version 2 is made for it alone, wherever this machine has its own.
set -e
tree=$1 cgroup=$2
if [ "${3:-}" != inside ]; then
    mount --make-rprivate /
    mount --bind "$tree" "$tree"
    mount -t cgroup2 cgroup2 "$tree/mnt"
    mkdir -p "$tree/mnt/$cgroup"
    echo 0 >"$tree/mnt/$cgroup/cgroup.procs"
    umount "$tree/mnt"
    exec unshare --cgroup sh "$0" "$tree" "$cgroup" inside
fi
cd "$tree"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
    : >dev/$name
    mount --bind /dev/$name dev/$name
done
mkdir dev/pts dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
hostname walk
ip link set lo up
mkdir -p .outside
pivot_root . .outside
cd /
umount -l /.outside
exec env -i container=walk PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal
