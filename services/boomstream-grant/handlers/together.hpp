// Gathers what several coroutines want to write at the same moment and writes it in one transaction: whoever
// comes while a commit runs is in the next one. No timer: alone, one waits for nobody.
#pragma once

#include "coursegate/async/signal.hpp"
#include "coursegate/async/task.hpp"

#include <algorithm>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace coursegate::boomstream_grant {

// Lives on one executor, longer than every add() that runs.
template <class Item>
class together
{
public:
    using writer = std::function<async::task<void>(std::vector<Item>)>;

    // `write` commits all items or throws; at most `most` of them at once.
    together(async::executor ex, std::size_t most, writer write)
        : executor_(std::move(ex)), most_(most), write_(std::move(write))
    {}
    together(const together&) = delete;
    together& operator=(const together&) = delete;

    // Returns when the transaction that holds `item` is committed; throws what its commit threw.
    async::task<void> add(Item item)
    {
        const auto mine = std::make_shared<seat>(executor_, std::move(item));
        waiting_.push_back(mine);
        const leaver leaving{*this, *mine};
        if (!leading_) {
            leading_ = true;
            mine->leads = true;
        }
        while (!mine->leads && !mine->finished)
            co_await mine->called.wait_for(std::chrono::hours(1));
        if (mine->leads)
            co_await lead();
        if (mine->error)
            std::rethrow_exception(mine->error);
    }

private:
    struct seat
    {
        seat(const async::executor& ex, Item i) : item(std::move(i)), called(ex) {}
        Item item;
        async::signal called;
        bool leads = false;
        bool finished = false;
        std::exception_ptr error;
    };

    // Whoever goes takes his unfinished item with him and hands the lead on, however he goes.
    struct leaver
    {
        together& owner;
        seat& mine;
        ~leaver()
        {
            if (!mine.finished)
                std::erase_if(owner.waiting_, [&](const auto& s) { return s.get() == &mine; });
            if (!mine.leads)
                return;
            if (owner.waiting_.empty())
                owner.leading_ = false;
            else {
                owner.waiting_.front()->leads = true;
                owner.waiting_.front()->called.set();
            }
        }
    };

    async::task<void> lead()
    {
        std::vector<std::shared_ptr<seat>> batch;
        std::vector<Item> items;
        while (!waiting_.empty() && batch.size() < most_) {
            batch.push_back(std::move(waiting_.front()));
            waiting_.pop_front();
            items.push_back(std::move(batch.back()->item));
        }
        std::exception_ptr error;
        try {
            co_await write_(std::move(items));
        }
        catch (...) {
            error = std::current_exception();
        }
        for (const auto& s : batch) {
            s->error = error;
            s->finished = true;
            s->called.set();
        }
    }

    async::executor executor_;
    std::size_t most_;
    writer write_;
    std::deque<std::shared_ptr<seat>> waiting_;
    bool leading_ = false;
};

} // namespace coursegate::boomstream_grant
