// How libs/db makes a transaction; nobody else can.
#pragma once

#include "coursegate/db/transaction.hpp"

namespace coursegate::db {

struct transaction::access
{
    // Runs body, rethrows the first fault of a statement even when the body caught it, and commits nothing.
    static void run(pqxx::work& work, connection& owner, const std::function<void(transaction&)>& body,
        std::vector<std::string>& topics)
    {
        transaction tx;
        tx.work_ = &work;
        tx.connection_ = &owner;
        body(tx);
        if (tx.fault_)
            std::rethrow_exception(tx.fault_);
        topics = std::move(tx.topics_);
    }
};

} // namespace coursegate::db
