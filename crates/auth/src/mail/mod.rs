//! Mail: templates, the outbox, delivery, the development inbox.
