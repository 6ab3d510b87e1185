package limit

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that stands still unless it is moved.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC)} }

func limiter(c *clock, to Limits) *Limiter {
	l := &Limiter{Now: func() time.Time { return c.now }}
	l.Set(to)
	return l
}

// TestSignInFlood: an address begins as many sign-ins within a minute as it may, and then
// has to wait as long as it is told.
func TestSignInFlood(t *testing.T) {
	c := newClock()
	l := limiter(c, Limits{SignIns: 60})
	const attacker, other = "203.0.113.7", "203.0.113.8"
	for i := range 60 {
		if wait := l.SignIn(Start, attacker); wait != 0 {
			t.Fatalf("sign-in %d: got a wait of %v", i, wait)
		}
	}
	wait := l.SignIn(Start, attacker)
	if wait <= 0 || wait > time.Second {
		t.Errorf("got a wait of %v, want up to a second", wait)
	}
	if got := l.SignIn(Return, attacker); got != 0 {
		t.Errorf("coming back: got a wait of %v; whoever has begun may end it", got)
	}
	if got := l.SignIn(Start, other); got != 0 {
		t.Errorf("somebody else: got a wait of %v", got)
	}
	c.now = c.now.Add(wait)
	if got := l.SignIn(Start, attacker); got != 0 {
		t.Errorf("after the wait: got another one of %v", got)
	}
	if got := l.SignIn(Start, attacker); got == 0 {
		t.Error("after the wait: two may begin")
	}
	c.now = c.now.Add(time.Minute)
	for i := range 60 {
		if got := l.SignIn(Start, attacker); got != 0 {
			t.Fatalf("a minute later, sign-in %d: got a wait of %v", i, got)
		}
	}
}

// TestTokenGuessingFlood, by many at once: what they have tried beyond their number is made
// up for by a longer wait.
func TestTokenGuessingFlood(t *testing.T) {
	c := newClock()
	l := limiter(c, Limits{FailedTokens: 60})
	const attacker = "203.0.113.7"
	var all sync.WaitGroup
	for range 180 { // each was let through before any had failed
		if l.Wait(attacker) != 0 {
			t.Fatal("nothing has failed yet")
		}
	}
	for range 180 {
		all.Go(func() { l.Failed(attacker) })
	}
	all.Wait()
	if wait := l.Wait(attacker); wait < 2*time.Minute || wait > 2*time.Minute+2*time.Second {
		t.Errorf("got a wait of %v, want two minutes for 120 too many", wait)
	}
	if l.Wait("203.0.113.8") != 0 {
		t.Error("somebody else has to wait")
	}
	c.now = c.now.Add(2*time.Minute + 2*time.Second)
	if wait := l.Wait(attacker); wait != 0 {
		t.Errorf("after it: got a wait of %v", wait)
	}
}

// TestAddressesThatAreOne: whoever has an address of IPv6 has 2^64 of them.
func TestAddressesThatAreOne(t *testing.T) {
	for name, test := range map[string]struct {
		a, b string
		one  bool
	}{
		"the same":                {"192.0.2.1", "192.0.2.1", true},
		"neighbours":              {"192.0.2.1", "192.0.2.2", false},
		"written as IPv6":         {"192.0.2.1", "::ffff:192.0.2.1", true},
		"one network of IPv6":     {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		"the next one":            {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		"one network, with zones": {"fe80::1%eth0", "fe80::2", true},
	} {
		l := limiter(newClock(), Limits{SignIns: 1})
		l.SignIn(Start, test.a)
		if got := l.SignIn(Start, test.b) != 0; got != test.one {
			t.Errorf("%s: got %v, want %v", name, got, test.one)
		}
	}
}

// TestWhoHasNoAddressIsNotBounded by limits for each address.
func TestWhoHasNoAddressIsNotBounded(t *testing.T) {
	l := limiter(newClock(), Limits{SignIns: 1, FailedTokens: 1, Connections: 1})
	for range 10 {
		l.Failed("")
		if l.SignIn(Start, "") != 0 || l.Wait("") != 0 || !l.Connect(netip.Addr{}) {
			t.Error("somebody on a unix socket is refused")
		}
	}
	l.Disconnect(netip.Addr{})
}

// TestZeroIsNoLimit.
func TestZeroIsNoLimit(t *testing.T) {
	l := new(Limiter)
	for range 2000 {
		if !l.Begin() || l.SignIn(Start, "192.0.2.1") != 0 || l.Wait("192.0.2.1") != 0 || !l.Connect(netip.MustParseAddr("192.0.2.1")) {
			t.Fatal("something is bounded")
		}
		l.Failed("192.0.2.1")
	}
}

// TestInFlightFlood.
func TestInFlightFlood(t *testing.T) {
	l := limiter(newClock(), Limits{Requests: 3})
	for i, want := range []bool{true, true, true, false, false} {
		if got := l.Begin(); got != want {
			t.Errorf("request %d: got %v", i, got)
		}
	}
	for range 3 {
		l.End()
	}
	if !l.Begin() || l.UnderWay() != 3 {
		t.Errorf("after three have ended, %d are under way", l.UnderWay())
	}
}

// TestConnectionsOfAnAddress are bounded, those of trusted proxies are not, and what was
// counted while an address was trusted is not lost when it is no more.
func TestConnectionsOfAnAddress(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	l := limiter(newClock(), Limits{Connections: 2, Proxies: proxies})
	attacker, front := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:10.0.0.1")
	for i, want := range []bool{true, true, false} {
		if got := l.Connect(attacker); got != want {
			t.Errorf("connection %d: got %v", i, got)
		}
	}
	if l.Connect(netip.MustParseAddr("2001:db8::2")) {
		t.Error("another address of the same network has more")
	}
	for range 100 {
		if !l.Connect(front) {
			t.Error("a trusted proxy is refused")
		}
	}
	l.Disconnect(attacker)
	if !l.Connect(attacker) || l.Connect(attacker) {
		t.Error("one has ended, and one should be taken")
	}
	l.Set(Limits{Connections: 2})
	if l.Connect(front) {
		t.Error("a proxy that is trusted no more has a hundred and gets more")
	}
	for range 100 {
		l.Disconnect(front)
	}
	l.Disconnect(attacker)
	l.Disconnect(attacker)
	for i := range l.connections.shards {
		if n := len(l.connections.shards[i].of); n != 0 {
			t.Errorf("shard %d still knows %d networks", i, n)
		}
	}
}

// TestAnotherConfigurationGoesOnCounting.
func TestAnotherConfigurationGoesOnCounting(t *testing.T) {
	l := limiter(newClock(), Limits{SignIns: 100})
	for range 50 {
		l.SignIn(Start, "192.0.2.1")
	}
	l.Set(Limits{SignIns: 10})
	allowed := 0
	for range 100 {
		if l.SignIn(Start, "192.0.2.1") == 0 {
			allowed++
		}
	}
	if allowed > 10 {
		t.Errorf("%d more were let through, want at most 10", allowed)
	}
}

// TestManyAddressesTakeNoMemory: a flood from two hundred thousand networks of IPv6 neither grows
// without end nor makes anybody forget who has used up what they may.
func TestManyAddressesTakeNoMemory(t *testing.T) {
	c := newClock()
	l := limiter(c, Limits{SignIns: 300, FailedTokens: 300})
	const attacker = "203.0.113.7"
	for l.SignIn(Start, attacker) == 0 {
	}
	before := heap()
	var raw [16]byte
	copy(raw[:], "\x20\x01\x0d\xb8")
	for i := range 200_000 {
		binary.BigEndian.PutUint32(raw[4:], uint32(i))
		client := netip.AddrFrom16(raw).String()
		l.SignIn(Start, client)
		if i%10 == 0 {
			l.Failed(client)
		}
		if i%1000 == 0 { // the flood takes a few seconds
			c.now = c.now.Add(time.Millisecond)
			if i%50_000 == 0 && l.SignIn(Start, attacker) == 0 && l.SignIn(Start, attacker) == 0 {
				t.Fatalf("after %d others it is forgotten who had begun too many", i)
			}
		}
	}
	if grown := int64(heap()) - int64(before); grown > 16<<20 {
		t.Errorf("the heap has grown by %d KiB", grown>>10)
	}
	known := 0
	for i := range l.starts.shards {
		known += len(l.starts.shards[i].of)
	}
	if known > shards*perShard {
		t.Errorf("%d networks are known", known)
	}
	runtime.KeepAlive(l)
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestManyAtOnce is for the race detector.
// TestOneAddressTakesNotEverything: once it is crowded an address has its part, and others
// have theirs until there is no room at all.
func TestOneAddressTakesNotEverything(t *testing.T) {
	l := limiter(newClock(), Limits{Requests: 200})
	flood, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.1")
	let := 0
	for range 1000 {
		if l.Begin() && (!l.Crowded() || l.Share(flood)) {
			let++
		} else {
			l.End()
		}
	}
	if let != 150 {
		t.Errorf("one address has %d requests under way, want 150", let)
	}
	if l.Share(netip.MustParseAddr("2001:db8::2")) {
		t.Error("another address of the same network has a part of its own")
	}
	for range 50 {
		if !l.Begin() || !l.Crowded() || !l.Share(other) {
			t.Fatal("somebody else is kept out")
		}
	}
	l.Unshare(flood)
	l.End()
	if !l.Begin() || !l.Share(flood) {
		t.Error("where one has ended there is no room for another")
	}
	few := limiter(newClock(), Limits{Requests: 3})
	for range 3 {
		if !few.Begin() || few.Crowded() {
			t.Error("so few are shared")
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	l := new(Limiter)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 500 {
				addr := netip.AddrFrom4([4]byte{10, 0, byte(n), byte(i)})
				l.Set(Limits{Requests: 3 + i, SignIns: 1 + i%3, FailedTokens: 5, Connections: 2})
				l.Begin()
				l.SignIn(Step(i%3), addr.String())
				l.Failed(addr.String())
				_ = l.Wait(fmt.Sprint(addr))
				if l.Connect(addr) {
					l.Disconnect(addr)
				}
				l.End()
			}
		})
	}
	all.Wait()
	if l.UnderWay() != 0 {
		t.Errorf("%d are under way", l.UnderWay())
	}
}

func BenchmarkRequest(b *testing.B) {
	l := new(Limiter)
	l.Set(Limits{Requests: 1 << 20})
	b.ReportAllocs()
	for b.Loop() {
		l.Begin()
		l.End()
	}
}
