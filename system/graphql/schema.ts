/** What can be asked. */

export const typeDefs = /* GraphQL */ `
  """RFC 3339, UTC, milliseconds"""
  scalar DateTime
  """A UTC date, as 2026-11-25"""
  scalar Date
  scalar JSON

  type Query {
    device(id: ID!): Device
    """In the order of their ids"""
    devices(first: Int = 50, after: String): DevicePage!
    location(device: ID!): Location
    """In the order of acceptance; what the pipeline left out too with includeFiltered"""
    history(device: ID!, from: DateTime, to: DateTime, first: Int = 100, after: String, includeFiltered: Boolean = false): HistoryPage!
    """The last 30 days without a range; both dates are inclusive"""
    usage(from: Date, to: Date): [UsageDay!]!
  }

  type Subscription {
    """What GET /v1/stream carries. since: a cursor, -1 or now"""
    stream(channels: [String!]!, since: String, heartbeatMs: Int): Frame!
    """First as it is now, then what is new"""
    device(id: ID!): DeviceState!
    """All of the account"""
    devices: DeviceState!
  }

  type Device {
    id: ID!
    name: String
    platform: String
    appVersion: String
    user: String
    metadata: JSON
    registeredAt: DateTime!
    changedAt: DateTime!
    presence: Presence!
    location: Location
    history(from: DateTime, to: DateTime, first: Int = 100, after: String, includeFiltered: Boolean = false): HistoryPage!
  }

  type DevicePage {
    items: [Device!]!
    """For the next page; null at the end"""
    after: String
  }

  enum Presence {
    online
    offline
  }

  type Location {
    eventId: ID!
    recordedAt: DateTime!
    position: String!
    lat: Float
    lon: Float
    """As the device sent it"""
    data: JSON!
  }

  type HistoryPage {
    events: [Event!]!
    after: String
  }

  type Event {
    id: ID!
    position: String!
    """pending, kept or filtered:<reason>"""
    disposition: String!
    receivedAt: DateTime!
    type: String!
    recordedAt: DateTime!
    data: JSON!
  }

  type UsageDay {
    date: Date!
    events: Int!
    calls: Int!
    registrations: Int!
    streamMinutes: Float!
    activeDevices: Int!
  }

  type DeviceState {
    device: ID!
    """Of its last sign of life"""
    at: DateTime!
    presence: Presence!
    location: Location
  }

  """A frame of the stream: t says which fields it has"""
  type Frame {
    t: String!
    channel: String
    key: ID
    version: Int
    cursor: String
    at: DateTime
    data: JSON
    """hello"""
    epoch: String
    from: String
    resumed: Boolean
    heartbeatMs: Int
    ageMs: Int
    """sync: by channel"""
    hashes: JSON
    """hb"""
    expiresInSeconds: Int
    """reset"""
    reason: String
    snapshot: String
    """bye"""
    code: String
    retryMs: Int
  }
`;
