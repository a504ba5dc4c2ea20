/** The guest's first process. It is short, because a boot under emulation must take only seconds. */
export const init = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
exec </dev/console >/dev/console 2>&1
for module in $(cat /lib/modules/order); do insmod /lib/modules/$module.ko; done
hostname tiny-linux
ip link set lo up
if [ -d /sys/class/net/eth0 ]; then
  ip addr add 10.0.2.15/24 dev eth0 && ip link set eth0 up && ip route add default via 10.0.2.2
fi
acpid -c /etc/acpi -l /dev/null
/bin/load &
echo NOVACRON-GUEST-UP
while :; do sleep 3600; done
`;

/** The ACPI power button ends the guest in order and at once. */
export const powerButton = `#!/bin/sh
echo NOVACRON-GUEST-DOWN >/dev/console
poweroff -f
`;

/** Some work each second and a disk read every ten seconds, so that CPU and block counters move. */
export const load = `#!/bin/sh
second=0
while :; do
  i=0; while [ $i -lt 400 ]; do i=$((i+1)); done
  second=$(( (second + 1) % 10 ))
  [ $second -eq 0 ] && [ -b /dev/vda ] && dd if=/dev/vda of=/dev/null bs=64k count=4 iflag=direct 2>/dev/null
  sleep 1
done
`;
