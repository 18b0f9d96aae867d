// Run by the health check: begins the replica set where there is none, and ends with 0 when writes are taken.
// A password of its own is read from the file, so that none is on a command line.
const password = fs.readFileSync('/run/secrets/mongodb_root_password', 'utf8').trim()
db.getSiblingDB('admin').auth('root', password)

try {
  rs.status()
} catch (refusal) {
  if (refusal.codeName !== 'NotYetInitialized') throw refusal
  rs.initiate({ _id: 'rs0', members: [{ _id: 0, host: 'mongodb:27017' }] })
}
quit(db.hello().isWritablePrimary ? 0 : 1)
