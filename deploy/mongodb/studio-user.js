// Run once by the image of MongoDB, on a database that is empty: the account of the studio, which may change one database.
const uri = new URL(fs.readFileSync('/run/secrets/mongodb_uri', 'utf8').trim())
const name = uri.pathname.slice(1)

db.getSiblingDB(name).createUser({
  user: decodeURIComponent(uri.username),
  pwd: decodeURIComponent(uri.password),
  roles: [{ role: 'readWrite', db: name }],
})
