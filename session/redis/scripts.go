package redis

import "github.com/redis/go-redis/v9"

// A session is a hash: r its revision, e its Ends in Unix milliseconds, h its head, b
// its box, t its tags one after the other, w the name of the write that put the box
// there.
//
// A write is repeated when its answer was lost, so each has a name of its own: what w
// tells has been done already is not done twice, and is not taken for somebody else's.
//
// What changes a session tells all replicas in the same step: PUBLISH takes a channel,
// which is no key and is heard on every node of a Cluster.

// createScript keeps a session unless there is one: 1, or 0.
var createScript = redis.NewScript(`
local w = redis.call('HGET', KEYS[1], 'w')
if w then
  return w == ARGV[1] and 1 or 0
end
redis.call('HSET', KEYS[1], 'w', ARGV[1], 'r', '1', 'e', ARGV[3], 'h', ARGV[4], 'b', ARGV[5], 't', ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`)

// replaceScript returns the tags, 0 when the session is gone, -1 when it has another revision.
var replaceScript = redis.NewScript(`
local old = redis.call('HMGET', KEYS[1], 'r', 'w', 't')
if not old[1] then
  return 0
end
if old[2] == ARGV[1] then
  return old[3]
end
if old[1] ~= ARGV[6] then
  return -1
end
redis.call('HSET', KEYS[1], 'w', ARGV[1], 'r', ARGV[7], 'e', ARGV[3], 'h', ARGV[4], 'b', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PUBLISH', ARGV[8], ARGV[9])
return old[3]`)

// touchScript returns the tags, 0 when the session is gone.
var touchScript = redis.NewScript(`
local tags = redis.call('HGET', KEYS[1], 't')
if not tags then
  return 0
end
redis.call('HSET', KEYS[1], 'e', ARGV[2], 'h', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return tags`)

// removeScript returns the tags, 0 when there is no session.
var removeScript = redis.NewScript(`
local tags = redis.call('HGET', KEYS[1], 't')
if redis.call('DEL', KEYS[1]) == 0 then
  return 0
end
redis.call('PUBLISH', ARGV[1], ARGV[2])
return tags or ''`)

// tagScript adds a session to a tag's set, which lives at least as long as the session, and
// returns how many there are.
var tagScript = redis.NewScript(`
redis.call('SADD', KEYS[1], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return redis.call('SCARD', KEYS[1])`)

// takeScript takes a turn, or has it already because the answer was lost: 1, else 0.
var takeScript = redis.NewScript(`
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return 1
end
return redis.call('GET', KEYS[1]) == ARGV[1] and 1 or 0`)

// holdScript makes a turn last longer if it still is the holder's: 1, else 0.
var holdScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`)

// releaseScript ends a turn if it still is the holder's, and wakes those who wait for it.
var releaseScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1`)
