package limit

import (
	"hash/maphash"
	"net/netip"
)

// shards is how many locks a table has, so that clients do not wait for each other.
const shards = 16

var seed = maphash.MakeSeed() // so that nobody can aim at a shard

func shardOf(network netip.Prefix) uint64 { return maphash.Comparable(seed, network) % shards }

// networkOf is what an address counts as; not valid for none.
func networkOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	network, _ := addr.Prefix(bits) // of no address, the zero value
	return network
}

// networkOfClient is networkOf for an address in text.
func networkOfClient(client string) netip.Prefix {
	addr, err := netip.ParseAddr(client)
	if err != nil {
		return netip.Prefix{}
	}
	return networkOf(addr)
}
