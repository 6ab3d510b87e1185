package session

import (
	"encoding/binary"

	"go.etcd.io/bbolt"
)

// keyCount has the number of sessions beside the transaction that has written it (twice 8
// bytes). A file that another version has written to meanwhile is at another transaction,
// and is counted anew.
var keyCount = []byte("sessions")

// Count implements Counter.
func (f *File) Count() (n int, ok bool) { return int(f.count.Load()), true }

// counted reads how many sessions the file has, or counts them.
func (f *File) counted() error {
	return f.db.View(func(tx *bbolt.Tx) error {
		kept := tx.Bucket(bucketAbout).Get(keyCount)
		if len(kept) == 16 && binary.BigEndian.Uint64(kept[8:]) == uint64(tx.ID()) {
			f.count.Store(int64(binary.BigEndian.Uint64(kept)))
			return nil
		}
		n := int64(0)
		heads := tx.Bucket(bucketHeads).Cursor()
		for k, _ := heads.First(); k != nil; k, _ = heads.Next() {
			n++
		}
		f.count.Store(n)
		return nil
	})
}

// putCount writes how many sessions there are after a transaction.
func putCount(tx *bbolt.Tx, n int64) error {
	value := binary.BigEndian.AppendUint64(make([]byte, 0, 16), uint64(n))
	return tx.Bucket(bucketAbout).Put(keyCount, binary.BigEndian.AppendUint64(value, uint64(tx.ID())))
}
