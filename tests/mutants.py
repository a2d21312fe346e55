"""Faults to put into a copy of the code, each with the test that must notice it. docs/reliability.md lists their names.

{name: (file, text, replacement, test)}. The text must occur in the file exactly once, so that a change of the code that
would disable a mutant is noticed.
"""

CHECKSUM = '    if not path.stem.endswith(f"-{digest[:HASH_DIGITS]}"):'
DAMAGE, FAULTS, ENEMIES, CLI, CLUSTER, STORE, DATA, STALE, UPGRADE = (
    f"{name}.py::test_"
    for name in (
        "test_damage",
        "test_faults",
        "test_enemies",
        "interface/test_commands",
        "execution/test_cluster",
        "results/test_parts",
        "networks/test_data",
        "test_stale_results",
        "test_upgrade",
    )
)

# In every run of the suite.
ALWAYS = {
    "a writer that writes in place": (
        "results/files.py",
        '    aside = path.with_name(f".{path.name}{UNFINISHED}")\n',
        "    aside = path\n",
        f"{DAMAGE}a_sweep_killed_in_the_middle_of_its_first_part_leaves_no_part_and_is_said_to_have_begun",
    ),
    "a resume that trusts that a file exists": (
        "results/parts.py",
        "        if damage := next(filter(None, map(damage_of, (path, *beside))), None):\n",
        "        if damage := None if path.exists() else str(path):\n",
        f"{STORE}a_damaged_part_is_named_by_who_reads_and_computed_again[layers-truncated]",
    ),
    "a resume that trusts a file's size": (
        "results/disk/part.py",
        CHECKSUM,
        "    if not path.stat().st_size:",
        f"{STORE}a_damaged_part_is_named_by_who_reads_and_computed_again[layers-flipped]",
    ),
    "a checksum that is never compared": (
        "results/disk/part.py",
        CHECKSUM,
        "    if not digest:",
        f"{STORE}a_damaged_part_is_named_by_who_reads_and_computed_again[networks-flipped]",
    ),
    "a block that is committed before it is whole": (
        "results/parts.py",
        "        write_whole(folder / kind / names[kind], content, kind, make_folder=False)\n",
        "        late = content\n",
        f"{STORE}the_networks_part_comes_last",
    ),
    "a lock that is a plain file": (
        "results/disk/lock.py",
        "            fcntl.flock(lock, kind | fcntl.LOCK_NB)\n",
        "            if (lock.seek(0) or lock.read()) and kind == fcntl.LOCK_EX: raise BlockingIOError\n",
        f"{STORE}a_lock_file_of_a_process_that_is_gone_holds_nothing",
    ),
    "checksums before the lock": (
        "execution/driver.py",
        "    require_unlocked(folder)\n",
        "    parts.committed_blocks(folder, '')\n    require_unlocked(folder)\n",
        f"{DAMAGE}checksums_come_after_the_lock",
    ),
    "blocks made elsewhere, mixed in silence": (
        "execution/holdings.py",
        "    if elsewhere and plan_of(sweep, there).blocks and not mixed:\n",
        "    if False:\n",
        f"{DAMAGE}results_of_another_version_are_not_mixed_in_silence",
    ),
}

PROCESSES = {
    "a resumed sweep whose blocks know that it was": (
        "execution/driver.py",
        "commit(block, (result.tables,), result.made_with)\n",
        "commit(block, (result.tables,), result.made_with | {'after': str(len(there.finished))})\n",
        f"{FAULTS}a_sweep_that_is_killed_at_any_instant_is_finished_by_the_next_one",
    ),
    "what an interrupted run left is not removed": (
        "execution/driver.py",
        "in parts.remove_leftovers(folder, keep=there.finished.values()):\n",
        "in ():\n",
        f"{STORE}what_an_interrupted_run_left_is_not_read_and_is_removed",
    ),
    "a config written in place": (
        "results/files.py",
        '    aside = path.with_name(f".{path.name}{UNFINISHED}")\n',
        '    aside = path if path.suffix == ".yaml" else path.with_name(f".{path.name}{UNFINISHED}")\n',
        f"{DAMAGE}a_sweep_killed_at_any_step_of_any_file_goes_on_as_if_nothing_had_been",
    ),
    "a figure written in place": (
        "results/files.py",
        '    aside = path.with_name(f".{path.name}{UNFINISHED}")\n',
        '    aside = path if path.suffix == ".png" else path.with_name(f".{path.name}{UNFINISHED}")\n',
        f"{DAMAGE}a_sweep_killed_while_a_figure_is_written_goes_on_as_if_nothing_had_been",
    ),
    "workers that do not watch the driver": (
        "execution/pools/worker.py",
        "    threading.Thread(target=_exit_with_driver, daemon=True).start()\n",
        "",
        f"{FAULTS}no_process_outlives_a_driver_that_is_killed_even_inside_a_long_product",
    ),
    "a worker's death ends its block": (
        "execution/dispatch.py",
        "        if deaths[block.name] < MAX_DEATHS:\n            return None\n",
        "",
        f"{FAULTS}a_worker_that_is_killed_is_replaced_and_its_block_tried_again",
    ),
    "a block that kills its workers is tried more often": (
        "execution/dispatch.py",
        "MAX_DEATHS = 3 ",
        "MAX_DEATHS = 5 ",
        f"{FAULTS}a_block_that_fails_is_set_aside_and_named_while_the_rest_is_done",
    ),
    "a block that fails ends the sweep": (
        "execution/dispatch.py",
        "    except Exception as error:\n        return FailedBlock",
        "    except ZeroDivisionError as error:\n        return FailedBlock",
        f"{FAULTS}a_block_that_fails_is_set_aside_and_named_while_the_rest_is_done",
    ),
    "an error for want of memory like any other": (
        "execution/dispatch.py",
        "    except MemoryError as error:\n",
        "    except ZeroDivisionError as error:\n",
        f"{FAULTS}a_block_that_runs_out_of_memory_is_named_while_the_rest_is_done",
    ),
    "kills for want of memory are not counted": (
        "execution/pools/machine.py",
        '    return int(counts.get("oom_kill", 0))\n',
        "    return 0 * len(counts)\n",
        f"{FAULTS}a_block_that_the_kernel_kills_for_lack_of_memory_is_named_while_the_rest_is_done",
    ),
    "Ctrl-C is heard by Python alone": (
        "interface/interrupts.py",
        "    _watch_interrupts()\n    try:\n",
        "    try:\n",
        f"{FAULTS}ctrl_c_ends_a_long_call_within_5_s_and_a_second_one_at_once",
    ),
    "a second Ctrl-C is left to Python as it ends": (
        "interface/interrupts.py",
        "        on_interrupt(signal.SIG_IGN)  #",
        "        #",
        f"{FAULTS}a_second_ctrl_c_while_the_first_is_being_heard_changes_no_exit_code",
    ),
    "Ctrl-C with the exit code of a failure": (
        "interface/interrupts.py",
        "        raise typer.Exit(128 + number) from None\n",
        "        raise typer.Exit(1) from None\n",
        f"{CLI}ctrl_c_keeps_finished_blocks_and_leaves_no_process",
    ),
    "worker processes that cannot start are blocks that died": (
        "execution/pools/processes.py",
        '        raise HarnessError(\n            f"worker processes do not start ({how})',
        '        raise WorkerDied(\n            f"worker processes do not start ({how})',
        "execution/test_processes.py::test_workers_that_cannot_start_end_the_sweep_with_what_to_do",
    ),
}

DISKS = {
    "what was written aside on a full disk stays": (
        "results/files.py",
        "    except OSError as error:\n        _remove(aside)\n",
        "    except OSError as error:\n",
        f"{DAMAGE}a_full_disk_is_said_and_leaves_nothing_half_and_is_gone_on_from",
    ),
    "an error of the disk comes out as it is": (
        "results/files.py",
        "    except OSError as error:\n        _remove(aside)\n",
        "    except FileNotFoundError as error:\n        _remove(aside)\n",
        f"{DAMAGE}a_limit_on_the_size_of_files_is_said_and_gone_on_from",
    ),
    "a folder that is not tried": (
        "results/disk/lock.py",
        "            _check_writable(folder)\n",
        "",
        f"{DAMAGE}a_folder_that_cannot_be_written_is_refused_before_anything_is_computed[r/layers]",
    ),
    "a missing parent is made": (
        "results/folder.py",
        "    if not parent.is_dir():\n        raise",
        "    if not parent.is_dir():\n        parent.mkdir(parents=True)\n        raise",
        f"{DAMAGE}a_place_that_cannot_be_is_refused_before_anything_is_computed",
    ),
    "a file in the folder's place is looked into": (
        "results/folder.py",
        "    if not folder.is_dir():\n",
        "    if False:\n",
        f"{DAMAGE}a_place_that_cannot_be_is_refused_before_anything_is_computed",
    ),
    "links out of the folder are followed": (
        "results/folder.py",
        "        if path.is_symlink():\n",
        "        if False:\n",
        f"{DAMAGE}links_out_of_the_results_folder_are_refused_and_nothing_is_written_through_them",
    ),
    "a part cut short is not looked at": (
        "results/disk/part.py",
        CHECKSUM,
        "    if not digest:",
        f"{DAMAGE}a_part_cut_at_any_length_is_found_and_named",
    ),
    "readers take the parts that are whole": (
        "results/parts.py",
        "    if damaged:\n        raise",
        "    if damaged and not blocks:\n        raise",
        f"{STORE}a_damaged_part_is_named_by_who_reads_and_computed_again",
    ),
    "a part is what its name says": (
        "results/disk/part.py",
        '    return None if says.get("block") == block_of(part) else ',
        "    return None if True else ",
        f"{DAMAGE}a_part_under_another_blocks_name_is_not_taken_for_it",
    ),
    "a lost manifest is empty": (
        "results/reader.py",
        "        return self._manifest_file or self._rebuilt_manifest()\n",
        "        return self._manifest_file or {}\n",
        f"{DAMAGE}a_manifest_that_is_lost_or_damaged_is_rebuilt",
    ),
    "a manifest is believed": (
        "results/reader.py",
        "            return manifest if _is_complete(manifest) else None\n",
        "            return manifest\n",
        f"{DAMAGE}a_manifest_that_is_lost_or_damaged_is_rebuilt",
    ),
    "claims are believed": (
        "study/verdicts.py",
        "        if not {verdict.grade, *(case.grade for case in verdict.cases)} <= {*GOOD, UNDECIDED, FAILS}:\n",
        "        if set() > {*GOOD, UNDECIDED, FAILS}:\n",
        f"{DAMAGE}damaged_claims_are_named_with_the_remedy_before_anything_is_shown",
    ),
    "heavy imports before a folder in use is told": (
        "interface/commands.py",
        "    from harness.config import read  # first: a wrong config, or a folder in use, is reported within "
        "a second\n    from harness.results.disk.lock import require_unlocked",
        "    from harness.figures.kit import page\n    from harness.study import verify\n"
        "    from harness.config import read\n    from harness.results.disk.lock import require_unlocked",
        f"{DAMAGE}a_second_run_ends_at_once_even_where_checksums_would_take_long",
    ),
    "a lock that outlives its process": (
        "results/disk/lock.py",
        "            fcntl.flock(lock, kind | fcntl.LOCK_NB)\n",
        "            if (lock.seek(0) or lock.read()) and kind == fcntl.LOCK_EX: raise BlockingIOError\n",
        f"{DAMAGE}a_lock_ends_with_its_process_even_where_its_workers_live_on",
    ),
    "a lock that gives up at once": (
        "results/disk/lock.py",
        "LOCK_SECONDS = 0.05 ",
        "LOCK_SECONDS = 0 ",
        f"{DAMAGE}a_lock_that_a_reader_looks_at_can_still_be_taken",
    ),
    "a fingerprint without the BLAS": (
        "results/environment.py",
        '        "blas": _blas(),\n',
        '        "blas": "some",\n',
        f"{DAMAGE}blocks_of_another_kernel_are_not_mixed_in_silence",
    ),
    "results that do not know the code": (
        "results/environment.py",
        '"code": code_hash()}',
        '"code": ""}',
        f"{DAMAGE}results_of_edited_code_are_not_mixed_in_silence",
    ),
    "workers of any code": (
        "execution/dispatch.py",
        '    if "code" in changed:\n        raise HarnessError(CODE_CHANGED)\n    if changed:\n',
        "    if False:\n",
        "execution/test_dispatch.py::test_a_worker_with_other_software_than_the_driver_computes_nothing",
    ),
    "workers of any version": (
        "execution/dispatch.py",
        "    if changed:\n",
        "    if False:\n",
        f"{UPGRADE}a_package_that_is_replaced_before_a_worker_starts_again_ends_the_sweep[version]",
    ),
    "code that is half of one version and half of another": (
        "results/code/sources.py",
        "    if now != SOURCES and _hash(now) != _hash(SOURCES):\n",
        "    if False:\n",
        f"{UPGRADE}code_that_changes_while_it_is_loaded_computes_nothing",
    ),
    "texts written out, row by row": (
        "results/tables.py",
        "        column = column.dictionary_encode() if pa.types.is_string(type_) else column\n",
        "",
        f"{STORE}texts_are_dictionaries_and_nan_is_null_and_minus_infinity_stays",
    ),
}

DASK = {
    "a lost scheduler is waited for": (
        "execution/pools/cluster.py",
        "            )\n            self._fail(self._lost_error)\n",
        "            )\n",
        f"{CLUSTER}a_lost_scheduler_ends_the_driver_soon_and_the_next_run_goes_on",
    ),
    "workers are not examined": (
        "execution/pools/cluster.py",
        "        names = [name for name in here if here[name] != there[name]]\n",
        "        names = []\n",
        f"{CLUSTER}a_worker_with_another_fingerprint_is_refused_also_when_it_joins_late",
    ),
    "every suspect of a death is charged": (
        "execution/pools/cluster.py",
        "                if suspects == [task]:\n",
        "                if task in suspects:\n",
        f"{CLUSTER}a_block_that_kills_its_workers_is_set_aside_and_named_while_the_rest_is_done",
    ),
    "the death of a cluster's worker ends its block": (
        "execution/dispatch.py",
        "        if deaths[block.name] < MAX_DEATHS:\n            return None\n",
        "",
        f"{CLUSTER}the_bytes_are_those_of_one_process_though_a_worker_is_killed",
    ),
    "data files are opened by workers": (
        "execution/pools/remote.py",
        "        provide(data, dataset)\n",
        "        pass\n",
        f"{CLUSTER}a_worker_needs_no_file_of_the_drivers",
    ),
    "an address is checked without a certificate": (
        "execution/pools/cluster.py",
        ', **Security().get_connection_args("client"))',
        ")",
        f"{CLUSTER}a_cluster_under_tls_admits_holders_of_a_certificate_and_nobody_else",
    ),
}

INPUT = {
    "aliases are read": (
        "config/yaml_positions.py",
        "        if isinstance(event, yaml.AliasEvent):\n",
        "        if False:\n",
        f"{ENEMIES}an_enemys_config_is_refused_within_a_second_and_200_mb[anchors that explode]",
    ),
    "files of any size are read": (
        "config/reading.py",
        "            return file.read(yaml_positions.MAX_BYTES + 1)\n",
        "            return file.read()\n",
        "config/test_config.py::test_a_file_of_100_mb_is_refused_without_being_read",
    ),
    "texts of any length are parsed": (
        "config/yaml_positions.py",
        "    if len(content) > MAX_BYTES:\n",
        "    if False:\n",
        f"{ENEMIES}an_enemys_config_is_refused_within_a_second_and_200_mb[a 100 MB line]",
    ),
    "nesting of any depth": (
        "config/yaml_positions.py",
        "        if len(path) > MAX_DEPTH:\n",
        "        if False:\n",
        f"{ENEMIES}an_enemys_config_is_refused_within_a_second_and_200_mb[100,000-deep lists]",
    ),
    "sizes are not counted": (
        "config/checks/checked.py",
        "    if not allow_large and _add_sizes(problems, sweep):\n",
        "    if False:\n",
        f"{ENEMIES}an_enemys_config_is_refused_within_a_second_and_200_mb[10^9 networks]",
    ),
    "names of any kind": (
        "config/types/text.py",
        '_FOLDER = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?"\n',
        '_FOLDER = r"(?s:.*)"\n',
        f"{ENEMIES}a_name_that_could_leave_the_results_folder_is_refused_and_nothing_is_written",
    ),
    "questions of any checkout": (
        "study/questions.py",
        "    if not Path.cwd().is_relative_to(root):\n",
        "    if False:\n",
        f"{ENEMIES}a_questions_file_of_another_checkout_is_not_run",
    ),
    "a question's path is not printed": (
        "interface/commands.py",
        '        say(f"{study.question.path}: {study.question.sentence}")\n',
        "        say(study.question.sentence)\n",
        f"{ENEMIES}a_questions_file_is_run_in_the_users_own_checkout_and_its_path_is_printed",
    ),
    "an axis that evaluates": (
        "config/types/values.py",
        "    def check(value: object) -> int:\n",
        "    def check(value: object) -> int:\n        value = eval(value) if isinstance(value, str) else value\n",
        f"{ENEMIES}names_come_from_tables_and_expressions_are_not_evaluated",
    ),
    "text as it comes": (
        "interface/terminal.py",
        '    return "".join(c if c.isprintable() else "�" for c in text)\n',
        "    return text\n",
        "interface/test_text.py::test_whatever_a_data_file_holds_is_shown_as_text",
    ),
    "cells as they come": (
        "interface/terminal.py",
        "Text(printable(cell)) for cell in row",
        "Text(cell) for cell in row",
        "interface/test_text.py::test_whatever_results_and_questions_say_is_shown_as_text",
    ),
    "values quoted as they come": (
        "base/messages.py",
        '        return repr(value if len(value) <= 60 else value[:57] + "...")\n',
        "        return value\n",
        f"{ENEMIES}a_name_that_could_leave_the_results_folder_is_refused_and_nothing_is_written",
    ),
    "labels of figures as they come": (
        "figures/kit/text.py",
        '        sign if sign.isprintable() and ord(sign) in _glyphs() else sign.encode("unicode_escape").decode()\n',
        "        sign\n",
        "figures/test_figures_drawn.py::test_labels_are_shown_as_text",
    ),
    "pickles are loaded": (
        "networks/files/arrays.py",
        "    with np.load(path, allow_pickle=False) as arrays:\n",
        "    with np.load(path, allow_pickle=True) as arrays:\n",
        f"{DATA}no_pickle_is_ever_loaded",
    ),
    "parquet types are looked at when all is unpacked": (
        "networks/files/tables.py",
        "            elif str(field.type) not in _NUMERIC:\n",
        "            elif False:\n",
        f"{ENEMIES}a_small_file_that_would_take_gigabytes_is_refused_in_little_memory",
    ),
    "NaN in data": (
        "networks/files/dataset.py",
        "    if not finite.all():\n",
        "    if False:\n",
        f"{DATA}what_cannot_be_used_is_refused_with_file_and_column",
    ),
    "a data file that changed is read": (
        "networks/data.py",
        "    if changed:\n",
        "    if False:\n",
        f"{ENEMIES}a_data_file_that_changes_while_a_sweep_begins_ends_it_with_a_word[1]",
    ),
    "a sweep that calls home": (
        "execution/driver.py",
        "    started = time.monotonic()\n",
        "    started = time.monotonic()\n    import socket\n"
        "    with socket.socket() as home: home.connect_ex(('127.0.0.1', 9))\n",
        f"{ENEMIES}a_sweep_opens_no_network_connection",
    ),
    "a worker that calls home": (
        "execution/block.py",
        "    within = within or fit(block, settings)\n",
        "    within = within or fit(block, settings)\n    import socket\n"
        "    with socket.socket() as home: home.connect_ex(('127.0.0.1', 9))\n",
        f"{ENEMIES}a_sweep_opens_no_network_connection",
    ),
    "a sweep that needs the network": (
        "execution/driver.py",
        "    started = time.monotonic()\n",
        "    started = time.monotonic()\n    import socket\n"
        "    socket.create_connection(('192.0.2.1', 9), timeout=1)\n",
        f"{ENEMIES}a_sweep_needs_no_network_at_all",
    ),
    "a terminal of UTF-8 is taken for granted": (
        "interface/output.py",
        '        stream.reconfigure(errors="replace")',
        "        pass",
        f"{CLI}unusual_surroundings_change_no_result[latin-1]",
    ),
    "a reader that ends early is an error": (
        "interface/output.py",
        "        except BrokenPipeError:  # the reader",
        "        except ZeroDivisionError:  # the reader",
        f"{CLI}a_sweep_whose_output_nobody_reads_is_finished",
    ),
}

NUMBERS = {
    "batch normalisation without its projection along z_hat": (
        "networks/remedies/normalisations.py",
        "    below = grad - z_hat * (z_hat * grad).mean(axis=axis, keepdims=True)\n",
        "    below = grad.copy()\n",
        "networks/remedies/test_normalisations.py::test_backward_is_the_derivative_of_forward[batch-0.0]",
    ),
    "epsilon forgotten": (
        "networks/remedies/normalisations.py",
        "    s = np.sqrt(squares + epsilon)\n",
        "    s = np.sqrt(squares)\n",
        "networks/remedies/test_normalisations.py::test_backward_is_the_derivative_of_forward[layer-0.1]",
    ),
    "alpha on the skip": (
        "engine/remedied/hidden.py",
        "    return (skip + times(branch, remedy.alpha)).normalised()\n",
        "    return (times(skip, remedy.alpha) + branch).normalised()\n",
        "engine/remedied/test_remedied.py::test_rezero_is_the_identity[pre]",
    ),
    "rows that do not train, normalised by each other": (
        "engine/training/evaluate.py",
        "    return OverRows(dead, statistics if over_batch else None)\n",
        "    return OverRows(dead, None)\n",
        "engine/training/test_training_remedied.py::test_rows_that_do_not_train_are_normalised_by_those_that_do",
    ),
    "gamma's steps in the norm of the weights'": (
        "engine/training/ledger.py",
        "        self._entered[k] = *flow, *u.flat_squares, *u_bias.flat_squares\n",
        "        self._entered[k] = *flow, *update.flat_squares, *u_bias.flat_squares\n",
        "engine/training/test_training_remedied.py::"
        "test_the_norm_ledger_closes_and_only_steps_grow_the_weights_of_normalised_layers",
    ),
    "a gradient in training that may underflow": (
        "engine/training/plain.py",
        "        leaving = ~within(inner(delta, delta), GRADIENT[delta.dtype])\n",
        "        leaving = np.zeros((len(delta), 1), dtype=bool)\n",
        "engine/training/test_training_plain.py::test_gradients_vanish_far_below_the_number_format",
    ),
    "a second moment in the unit of the first": (
        "networks/training/moments.py",
        "            shifted(array, power * (self.exponent - exponent), out=array)\n",
        "            shifted(array, self.exponent - exponent, out=array)\n",
        "engine/training/test_training_plain.py::test_directions_are_right_for_gradients_of_any_size",
    ),
    "standardised weights whose gradient is not projected": (
        "networks/remedies/standardised.py",
        "    return normalisations.backward(COLUMNS, grad_W, v_hat, inverse)\n",
        "    return (grad_W - grad_W.mean(axis=-2, keepdims=True)) * inverse\n",
        "engine/remedied/test_standardised.py::test_the_gradient_of_the_trained_weights_is_that_of_finite_differences",
    ),
    "training that does not start from LSUV's weights": (
        "engine/training/at_start.py",
        "if standardised else scaled\n",
        "if standardised else weights\n",
        "engine/training/test_training_on_weights.py::test_training_starts_from_the_weights_that_lsuv_has_scaled[0.0]",
    ),
    "rows seen through weights that are not standardised": (
        "engine/training/evaluate.py",
        "    stack, _ = stack.multiplying()\n    r, failed = unscaled(",
        "    r, failed = unscaled(",
        "engine/training/test_training_on_weights.py::test_whole_parts_of_the_data_see_the_standardised_weights",
    ),
    "the trained weights' ratio of updates over W": (
        "engine/training/course.py",
        "taken.log10_norm_updates[those] - norms\n",
        'taken.log10_norm_updates[those] - layers["log10_norm_weights"]\n',
        "engine/training/test_training_on_weights.py::test_the_ledger_of_standardised_weights_is_that_of_the_trained_ones",
    ),
    "tied layers that take a step each": (
        "engine/training/passes.py",
        "if stack.remedy.tied else layers",
        "if not layers else layers",
        "engine/training/test_training_on_weights.py::"
        "test_tied_layers_stay_equal_to_the_bit_and_their_rows_are_of_the_shared_weights[sgd]",
    ),
    "a skip past several layers that begins one layer below": (
        "engine/training/passes.py",
        "        trunk = z if joins else trunk\n",
        "        trunk = z\n",
        "engine/training/test_training_on_weights.py::"
        "test_the_cost_changes_along_a_step_as_its_gradient_says[relu he_normal pre(every=3)]",
    ),
    "LSUV that divides by the variance": (
        "networks/remedies/unit_variance.py",
        "        gain = gain / np.sqrt(np.where(off, variance, 1))\n",
        "        gain = gain / np.where(off, variance, 1)\n",
        "engine/remedied/test_unit_variance.py::test_every_layer_has_unit_variance_within_the_tolerance[50.0-0.0]",
    ),
    "lanes of Fixup with another number of branches": (
        "engine/lanes/groups.py",
        "spec.branch_scale, spec.last_ruled\n",
        "spec.branch_scale\n",
        "engine/remedied/test_remedied.py::test_fixups_of_different_depths_are_those_alone",
    ),
    "a result that remembers what was computed before": (
        "execution/block.py",
        "    within = within or fit(block, settings)\n",
        "    within = within or fit(block, settings)\n    lane_chunks.before = getattr(lane_chunks, 'before', 0) + 1\n"
        "    settings = __import__('dataclasses').replace(settings, decades=settings.decades / lane_chunks.before)\n",
        "execution/test_dispatch.py::test_the_bytes_of_a_block_do_not_depend_on_the_order_of_blocks",
    ),
    "a result that knows its worker": (
        "execution/block.py",
        "        settings.decades,\n",
        "        settings.decades + 1e3 * (__import__('multiprocessing').parent_process() is None),\n",
        f"{CLI}tables_do_not_depend_on_the_number_of_workers",
    ),
    "tables that say where they were made": (
        "results/environment.py",
        '        "cpu": f"{platform.system()} ',
        '        "cpu": f"{platform.node()} ',
        f"{CLI}unusual_surroundings_change_no_result[another host]",
    ),
    "nulls without a status": (
        "engine/lanes/records.py",
        '    return failure_text or (f"slope underflows at layer {slope_failure}" if slope_failure else OK)\n',
        "    return OK\n",
        "config/test_edges.py::test_any_sweep_explains_itself",
    ),
}

OTHERS = {
    "parts of any config are taken": (
        "results/parts.py",
        '    if metadata_of(part).get(b"config", b"").decode() != config:\n',
        "    if False:\n",
        f"{STALE}parts_of_two_configs_in_one_folder_are_refused_by_name[seed]",
    ),
    "replicates may be in two blocks": (
        "results/parts.py",
        "        if networks == other_networks and start < stop:\n",
        "        if False:\n",
        f"{STALE}two_parts_that_hold_the_same_networks_are_refused_by_name",
    ),
    "a part is whole if its checksum is right": (
        "results/disk/part.py",
        "    return _differs_from_description(path)\n",
        "    return None\n",
        f"{STALE}a_part_that_is_valid_and_wrong_is_named_by_every_command[a row less-networks]",
    ),
    "any file beside the parts is a part": (
        "results/parts.py",
        "            if not is_part(path):\n                foreign",
        "            if False:\n                foreign",
        f"{STALE}files_that_are_not_ours_are_left_named_and_not_read[again]",
    ),
    "a folder is the one that its path leads to": (
        "results/disk/lock.py",
        "        if not same or not (self.path / CONFIG).exists():\n",
        "        if False:\n",
        f"{STALE}a_folder_that_goes_while_a_sweep_runs_ends_it_and_is_not_made_again[removed-2]",
    ),
    "a lock is never lost": (
        "results/disk/lock.py",
        "        if not mine or (self._holder and _content(self.path / HOLDER) != self._holder):\n",
        "        if False:\n",
        f"{STALE}two_holders_of_a_folder_end_with_one",
    ),
    "sweeps in threads run at once": (
        "study/sweep.py",
        "_ONE_AT_A_TIME = threading.RLock()\n",
        "_ONE_AT_A_TIME = __import__('contextlib').nullcontext()\n",
        f"{STALE}sweeps_in_threads_of_one_process_write_what_each_writes_alone",
    ),
    "results are what the folder holds now": (
        "results/reader.py",
        "        if gone or self._config_bytes != _bytes_of(self.path / CONFIG):\n",
        "        if False:\n",
        f"{STALE}results_of_a_folder_that_was_swept_again_say_so[networks-more]",
    ),
}

SOAK = OTHERS | PROCESSES | DISKS | DASK | INPUT | NUMBERS
