// How libs/db makes a transaction; nobody else can.
#pragma once

#include "coursegate/db/transaction.hpp"

namespace coursegate::db {

// What is to be done once the transaction has committed.
struct afterwards
{
    std::vector<std::string> topics;
    std::vector<std::function<void()>> calls;
};

struct transaction::access
{
    // Runs body, rethrows the first fault of a statement even when the body caught it, and commits nothing.
    // `single`: a second statement is refused.
    static void run(pqxx::transaction_base& work, connection& owner, const attachments* attached,
        const std::function<void(transaction&)>& body, afterwards& then, bool single = false)
    {
        transaction tx;
        tx.work_ = &work;
        tx.connection_ = &owner;
        tx.attachments_ = attached;
        tx.single_ = single;
        body(tx);
        if (tx.fault_)
            std::rethrow_exception(tx.fault_);
        then.topics = std::move(tx.topics_);
        then.calls = std::move(tx.calls_);
    }
};

} // namespace coursegate::db
