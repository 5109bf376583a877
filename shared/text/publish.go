package text

// publishTexts are about the centre's segment.
var publishTexts = map[string]message{
	"help_publish": {
		"Keep a segment of shared memory with every outlet's usable keys, beside a server or on another host at the centre.",
		"在服务器旁或中心的其他主机上，把所有网点的可用密钥同步到共享内存。",
	},
	"help_centre_shm": {
		"Segment of shared memory to keep with every outlet's usable keys; a name of its own. Without: none.",
		"存放所有网点可用密钥的共享内存段名，须专用；不设则不发布。",
	},
	"help_shm_capacity": {
		"Keys that the segment has room for: four times the outlets keeps look-ups short. Another number makes it anew.",
		"共享内存可容纳的密钥数，取网点数的四倍可保持查找快速；改变此值会重建共享内存。",
	},
	"help_publisher_role": {
		"PostgreSQL: let this role read what hufu-server publish needs, and nothing else.",
		"PostgreSQL：只授予此角色 hufu-server publish 所需的读取权限。",
	},
	"err_no_shm": {"--shm names the segment to keep", "请用 --shm 指定共享内存段名"},
	"err_shm_room": {
		"the segment %s has room for %d keys, and %d are usable now: set --shm-capacity to %d or more",
		"共享内存 %s 只能容纳 %d 个密钥，而现有可用密钥 %d 个：请把 --shm-capacity 设为 %d 或更大",
	},
}
